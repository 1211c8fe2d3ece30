"""`train.py` in processes of its own that start at once: forked from one that has imported everything."""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "network.width=4",
    "network.blocks=1",
    "crop=32",
    "logger.wandb=false",
    "loss.content_layers=[relu1_2]",
    "loss.style_layers=[relu1_1]",
    "style.size=32",
]
NOBODY = 65534
PRELOADED = ["runs", "stylenet.cli.train", "stylenet.training.run", "pytest"]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(PRELOADED)
os.environ["OMP_NUM_THREADS"] = "1"  # networks this small gain nothing from more, and lose much on a busy machine
# For the preloading, which knows nothing of this process's own sys.path.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])


class Run:
    """A training in `folder`, which need not be the place of anything else."""

    def __init__(self, folder: Path, *arguments: str, before: Callable[[], None] | None = None) -> None:
        self.log = folder.parent / f"{folder.name}.txt"
        self.process = CONTEXT.Process(target=_train, args=(folder, self.log, arguments, before))
        self.process.start()

    @property
    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def end(self, seconds: float = 90) -> int:
        """Its exit code; of a killed one, minus the signal."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.send(signal.SIGKILL)
            raise TimeoutError(f"still going after {seconds} seconds:\n{self.output}")
        return self.process.exitcode

    def send(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def wait_for(self, sign: Callable[[], object], seconds: float = 90) -> None:
        """Until `sign` is true of it. Raises when it ends before."""
        deadline = time.monotonic() + seconds
        while not sign():
            assert self.process.is_alive(), self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.005)


def _train(folder: Path, log: Path, arguments: tuple[str, ...], before: Callable[[], None] | None) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(folder)
    sys.argv = [str(ROOT / "train.py"), *arguments]
    from stylenet.cli.main import run_command

    if before is None:
        sys.exit(run_command("train", arguments, "train.py"))
    before()
    code = run_command("train", arguments, "train.py")
    sys.stdout.flush()
    os._exit(code)  # multiprocessing would trip over what `before` took away


def become_nobody(weights: str) -> None:
    """For `before`: goes on as a user who may not read everything, where it is root.

    A short run comes first, which imports what that user could not read.
    """
    from stylenet.cli.main import run_command

    folder = Path.cwd()
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)
        assert run_command("train", ["style=wave", weights, *SMALL, "steps=1"]) == 0
        os.chdir(folder)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
