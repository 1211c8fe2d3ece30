"""`stylenet cluster` on a Ray cluster of two nodes on this machine, of which one is killed, and an actor of the other:

    python benchmarks/nodes.py                           1,000 images, 30 of them broken

The results are compared with those of infer.py, byte by byte. Prints a table. The exit code is 1 if an image was lost,
a result differs, or there is another file in the output. Needs the extra ray.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from PIL import Image

ROOT = Path(__file__).parents[1]
STYLE = "starry"  # slow enough for all actors to take part
# Ray gives its workers the lowest priority, with which they starve beside anything else on the machine.
os.environ |= {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0", "PYTHONPATH": str(ROOT)}


def make_images(folder: Path, count: int, broken: int) -> set[str]:
    """Small images in a few subfolders; the names of those that are truncated, empty or no images at all."""
    generator, bad = np.random.default_rng(0), set()
    places = set(generator.permutation(count)[:broken].tolist())
    for number in range(count):
        path = folder / f"{number % 7}" / f"{number:05}{'.png' if number % 3 else '.jpg'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        colors = generator.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(colors).resize((96 + number % 5, 96), Image.Resampling.BICUBIC).save(path)
        if number in places:
            data = path.read_bytes()
            path.write_bytes((data[: len(data) // 2], b"", b"no image")[number % 3])
            bad.add(path.relative_to(folder).as_posix())
    return bad


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A Ray cluster; yields it, with the node to kill as `second`."""
    from ray.cluster_utils import Cluster

    options = {"object_store_memory": 100_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **options})
    cluster.second = cluster.add_node(num_cpus=1, **options)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def results(folder: Path) -> dict[str, bytes]:
    """All files below a folder but the outcomes, by their names."""
    files = (path for path in folder.rglob("*") if path.is_file() and "outcomes" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def actors_of(raylet: int) -> list[int]:
    """Process ids of the actors that stylize, of the node with this raylet."""
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(raylet)], capture_output=True, text=True).stdout  # noqa: S607
    return [int(line.split()[0]) for line in found.splitlines() if "MapWorker" in line]


def raylet_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def wait_for_actors(run: "subprocess.Popen[str]", nodes: list[Any]) -> list[list[int]]:
    """The actors of each node, once each has some."""
    while not all(found := [actors_of(raylet_of(node)) for node in nodes]):
        if run.poll() is not None:
            raise SystemExit("it ended before both nodes were at work")
        time.sleep(0.2)
    return found


def wait_for_results(run: "subprocess.Popen[str]", folder: Path, count: int) -> None:
    while sum(1 for path in folder.rglob("*") if path.suffix in (".png", ".jpg")) < count:
        if run.poll() is not None:
            raise SystemExit(f"it ended before it had {count} results")
        time.sleep(0.2)


def interrupted(source: Path, target: Path, count: int) -> tuple[int, str, str]:
    """Runs the command; kills an actor of the first node, then the second. Exit code, output, what was done."""
    with two_nodes() as cluster:
        command = [sys.executable, "-m", "stylenet", "cluster", str(source), str(target), "-s", STYLE]
        options = ["--address", cluster.address, "--device", "cpu"]
        with subprocess.Popen([*command, *options], text=True, stdout=subprocess.PIPE, cwd=ROOT) as run:
            wait_for_results(run, target, count // 10)
            first, second = wait_for_actors(run, [cluster.head_node, cluster.second])
            os.kill(first[0], signal.SIGKILL)
            wait_for_results(run, target, len(list(target.rglob("*"))) + count // 10)
            cluster.remove_node(cluster.second, allow_graceful=False)
            done = f"1 actor, then a node with {len(second)} more, after {len(list(target.rglob('*')))} results"
            output = run.communicate()[0]
    return run.returncode, output.strip(), done


def report(bad: set[str], count: int, target: Path, expected: dict[str, bytes], ended: tuple[int, str, str]) -> bool:
    """Prints the table; returns whether no image was lost and no result differs."""
    rows = ds.dataset(target / "outcomes").to_table().to_pylist()
    failed = {row["path"] for row in rows if row["error"]}
    found = results(target)
    equal = sum(found.get(name) == data for name, data in expected.items())
    facts = {
        "images, of them broken": (f"{count}, {len(bad)}", True),
        "killed": (ended[2], True),
        "exit code": (ended[0], ended[0] == (1 if bad else 0)),
        "rows of outcome, different images": (f"{len(rows)}, {len({row['path'] for row in rows})}", len(rows) == count),
        "rows with an error, those of the broken": (f"{len(failed)}, {len(failed & bad)}", failed == bad),
        "results, equal to infer.py's": (f"{len(found)}, {equal}", len(found) == equal == len(expected)),
        "other files left": (len(found.keys() - expected.keys()), found.keys() == expected.keys()),
    }
    print("| | |\n|---|---|")
    for name, (value, fine) in facts.items():
        print(f"| {name} | {value}{'' if fine else ' **WRONG**'} |")
    print("errors:", dict(Counter(row["error"] for row in rows if row["error"])), file=sys.stderr)
    print(ended[1], file=sys.stderr)
    return all(fine for _, fine in facts.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--broken", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        source, target, reference = (Path(text, name) for name in ("in", "out", "reference"))
        bad = make_images(source, options.images, options.broken)
        command = [sys.executable, "infer.py", str(source), "-o", f"{reference}/", "-s", STYLE, "--device", "cpu"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        ended = interrupted(source, target, options.images)
        return 0 if report(bad, options.images, target, results(reference), ended) else 1


if __name__ == "__main__":
    sys.exit(main())
