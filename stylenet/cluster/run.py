"""The driver: starts Ray, hands out images, collects outcomes."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

from tqdm import tqdm

from stylenet.cluster.actors import Assignment, Attempts, RowStylizer
from stylenet.cluster.places import Place
from stylenet.cluster.plan import Todo
from stylenet.disk import printable
from stylenet.errors import UserError, first_line

LARGEST_BLOCK = 256  # images that an actor takes at once; they are done again if it is killed
PART = 10_000  # outcomes in a file of the table
ERRORS_SHOWN = 20
PATIENCE = 10.0  # seconds until a cluster answers
OUTCOMES = "outcomes"  # folder below the output


@dataclass
class Summary:
    """What came of a run."""

    stylized: int = 0
    failed: int = 0
    present: int = 0
    clips: int = 0
    seconds: float = 0.0
    parts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.stylized / self.seconds if self.seconds else 0.0
        skipped = f", {self.present} skipped as their results exist" if self.present else ""
        skipped += f", {self.clips} clips left out" if self.clips else ""
        where = f"; outcomes: {self.parts[0]}{' …' * (len(self.parts) > 1)}" if self.parts else ""
        return (
            f"{self.stylized} stylized, {self.failed} failed{skipped}, {self.seconds:.1f} s, {rate:.3g} images/s{where}"
        )


@dataclass(frozen=True)
class Cluster:
    """Which cluster, and how much of it: `address` as Ray takes it, None for one on this machine alone."""

    address: str | None = None
    actors: int | None = None
    device: str = "auto"


class Table:
    """Outcomes as Parquet files of `PART` rows, each written once and whole; the last when it is closed."""

    def __init__(self, target: Place, run: str) -> None:
        self.target, self.run = target, run
        self.rows: list[dict[str, Any]] = []
        self.parts: list[str] = []

    def add(self, rows: list[dict[str, Any]]) -> None:
        self.rows += rows
        if len(self.rows) >= PART:
            self.flush()

    def close(self) -> None:
        """Writes the rest, also of a run that was stopped or lost its cluster."""
        self.flush()

    def flush(self) -> None:
        """Writes what has come together."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.rows:
            return
        name = f"{OUTCOMES}/{self.run}-{len(self.parts):05}.parquet"
        buffer = BytesIO()
        pq.write_table(pa.Table.from_pylist(self.rows), buffer)
        self.target.write(name, buffer.getvalue())
        self.parts.append(name)
        self.rows = []


def run(todo: Todo, work: Assignment, cluster: Cluster, say: Callable[[str], None]) -> Summary:
    """Stylizes everything on the cluster; `say` is given a line per failure. Raises `UserError`."""
    summary = Summary(present=todo.present, clips=todo.clips)
    if not todo.names:
        return summary
    start = time.perf_counter()
    table = Table(work.target, time.strftime("%Y%m%d-%H%M%S"))
    with ray_session(cluster), closing(table):
        for rows in progress(outcomes(todo, work, cluster), len(todo.names)):
            table.add(rows)
            for row in rows:
                summary.stylized += not row["error"]
                summary.failed += bool(row["error"])
                if row["error"] and summary.failed <= ERRORS_SHOWN:
                    say(f"{printable(row['path'])}: {row['error']}")
            summary.seconds = time.perf_counter() - start
    if summary.failed > ERRORS_SHOWN:
        say(f"{summary.failed - ERRORS_SHOWN} more failed, see {OUTCOMES}")
    summary.parts = table.parts
    return summary


class RemoteAttempts(Attempts):
    """The one `Attempts` of the run, from an actor's side."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def suspects(self, names: Sequence[str]) -> list[str]:
        return list(answer(self.handle.suspects.remote(names)))

    def begin(self, name: str) -> int:
        return int(answer(self.handle.begin.remote(name)))

    def end(self, name: str) -> None:
        self.handle.end.remote(name)  # which comes before the next begin of this actor


def answer(promise: Any) -> Any:
    import ray

    return ray.get(promise)


class Actor(RowStylizer):
    """A `RowStylizer` in a Ray actor."""

    def __init__(self, assignment: Assignment, handle: Any) -> None:
        super().__init__(assignment, RemoteAttempts(handle))


def outcomes(todo: Todo, work: Assignment, cluster: Cluster) -> Iterator[list[dict[str, Any]]]:
    """Rows of outcome, as they come. A block of images whose actor ends is done again by another."""
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy

    device = device_of(cluster)
    unit = "GPU" if device == "cuda" else "CPU"
    most = cluster.actors or max(1, int(ray.cluster_resources().get(unit, 1)))
    size = block_size(len(todo.names), most)
    # As bytes: names need not be UTF-8, and Arrow's texts are.
    table = pa.table({"name": list(map(os.fsencode, todo.names)), "result": list(map(os.fsencode, todo.results))})
    blocks = ray.data.from_arrow(table, override_num_blocks=-(-len(todo.names) // size))
    done = blocks.map_batches(
        Actor,
        fn_constructor_args=(replace(work, device=device), beside_the_driver(Attempts)),
        batch_size=size,
        compute=ActorPoolStrategy(min_size=1, max_size=most),
        **({"num_gpus": 1} if device == "cuda" else {"num_cpus": 1}),
    )
    for batch in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield batch.to_pylist()


def block_size(images: int, actors: int) -> int:
    """Images that an actor is given at once: small enough for all to be busy to the end, large enough for Ray."""
    return min(LARGEST_BLOCK, max(1, images // (8 * actors)))


def beside_the_driver(kind: type) -> Any:
    """An actor on the driver's own node, which costs no CPU."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(kind).options(num_cpus=0, scheduling_strategy=here).remote()


@contextmanager
def ray_session(cluster: Cluster) -> Iterator[None]:
    """Ray, while the block runs. Raises `UserError` when the cluster does not answer."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its makers
    import ray
    from ray.data import DataContext

    check_answers(cluster.address)
    own: dict[str, Any] = {} if cluster.address else {"include_dashboard": False, "num_cpus": cluster.actors}
    try:
        ray.init(address=cluster.address or "local", log_to_driver=False, logging_level="error", **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"no Ray cluster at {cluster.address or 'this machine'}: {first_line(error)}") from error
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def check_answers(address: str | None) -> None:
    """Raises `UserError` where nobody listens at `host:port`: Ray itself would try for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"no Ray cluster at {address}: {reason}") from error


def progress(batches: Iterator[list[dict[str, Any]]], total: int) -> Iterator[list[dict[str, Any]]]:
    """The same, with a bar on a terminal."""
    with tqdm(total=total, unit=" images", disable=None, leave=False) as bar:
        for rows in batches:
            bar.update(len(rows))
            yield rows


def device_of(cluster: Cluster) -> str:
    """`cuda` where the cluster has GPUs, unless the CPU is asked for. Raises `UserError`."""
    import ray

    gpus = ray.cluster_resources().get("GPU", 0)
    if cluster.device == "cuda" and not gpus:
        raise UserError("the cluster has no GPU")
    return "cuda" if gpus and cluster.device != "cpu" else "cpu"
