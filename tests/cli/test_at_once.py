"""Ten `infer.py` at once. Two trainings at once are in test_resuming.py, ten on a cold cache in test_fetching.py."""

import os
import socket
import sys
from pathlib import Path

from infer_command import names
from PIL import Image
from runs import CONTEXT

from stylenet.cli.main import run_command


def infer_alone(folder: Path) -> None:
    """For a process of its own, where no network can be reached and the cache is cold."""

    def refuse(*_: object) -> None:
        raise AssertionError("infer.py needs no network")

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]
    os.environ["STYLENET_CACHE"] = str(folder / "cache")
    os.chdir(folder)
    sys.exit(run_command("infer", ["photo.png", "-s", "night", "-o", "out", "--device", "cpu"]))


def test_ten_at_once_leave_one_whole_result_and_fetch_nothing(folder: Path) -> None:
    processes = [CONTEXT.Process(target=infer_alone, args=(folder,)) for _ in range(10)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 10
    assert names(folder) == ["out/photo-night.png", "photo.png"]
    with Image.open(folder / "out/photo-night.png") as image:
        image.load()
        assert image.size == (30, 20)
