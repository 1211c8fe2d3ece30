#!/usr/bin/env python3
"""Trains on 1,000 files of which 300 are bad, 20 in each of 15 ways, and checks what is reported of them.

python tools/campaigns/poison.py            # a minute on two CPU cores
"""

import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/support")]

import numpy as np  # noqa: E402
from conftest import write_tiny_vgg  # noqa: E402
from pictures import CONVERTED, JPEG, SKIPPED, encoded  # noqa: E402
from runs import NOBODY, SMALL, Run, become_nobody  # noqa: E402

EACH, GOOD = 20, 700
NONSENSE = b"\xff\xe1\x00\x1eExif\0\0MM\0\x2a\xff\xff\xff\xff" + bytes(range(14))  # an APP1 that points nowhere


def link_to_nowhere(path: Path, number: int) -> None:
    path.symlink_to(path.with_name("nowhere"))


def pipe(path: Path, number: int) -> None:
    os.mkfifo(path)


def closed(path: Path, number: int) -> None:
    path.write_bytes(JPEG)
    path.chmod(0)


def folder(path: Path, number: int) -> None:
    path.mkdir()


def cut(path: Path, number: int) -> None:
    path.write_bytes(JPEG[: 1 + len(JPEG) * (number % 10) // 10])


def misnamed(path: Path, number: int) -> None:
    """A PNG that says it is a JPEG, or a text."""
    path.write_bytes(CONVERTED["alpha.png"][0] if number % 2 else b"not an image\n" * 50)


def holding(data: bytes) -> Callable[[Path, int], None]:
    def make(path: Path, number: int) -> None:
        path.write_bytes(data)

    return make


# How a bad file is made, and what twenty of them must add to the report; what is not named there is used as it is.
WAYS: dict[str, tuple[Callable[[Path, int], None], dict[str, int]]] = {
    "cut.jpg": (cut, {"truncated or damaged": 18, "not an image": 2}),
    "misnamed.jpg": (misnamed, {"alpha": 10, "not an image": 10}),
    "one.png": (holding(SKIPPED["one.png"][0]), {"too small": 20}),
    "line.png": (holding(SKIPPED["line.png"][0]), {"too small": 20}),
    "bomb.png": (holding(SKIPPED["bomb.png"][0]), {"too large": 20}),
    "cmyk.jpg": (holding(CONVERTED["cmyk.jpg"][0]), {"CMYK": 20}),
    "palette.gif": (holding(CONVERTED["palette.gif"][0]), {"palette": 20}),
    "deep.png": (holding(CONVERTED["deep.png"][0]), {"16-bit or more": 20}),
    "moving.gif": (holding(CONVERTED["moving.gif"][0]), {"palette": 20, "first of several frames": 20}),
    "exif.jpg": (holding(JPEG[:2] + NONSENSE + JPEG[2:]), {}),
    "nul.jpg": (holding(bytes(5000)), {"not an image": 20}),
    "folder.jpg": (folder, {}),
    "link.jpg": (link_to_nowhere, {"not a file": 20}),
    "pipe.jpg": (pipe, {"not a file": 20}),
    "closed.jpg": (closed, {"no permission": 20}),
}


def fill(place: Path) -> dict[str, int]:
    """Makes the files. Returns how many of each kind must be reported."""
    expected: Counter[str] = Counter()
    rng = np.random.default_rng(0)
    for number in range(GOOD):
        (place / f"good{number:03}.jpg").write_bytes(encoded(rng.integers(0, 256, (40, 60, 3), np.uint8), "JPEG"))
    for name, (make, kinds) in WAYS.items():
        expected.update(kinds)
        for number in range(EACH):
            make(place / f"{number:02}-{name}", number)
    return dict(expected)


def reported(output: str) -> dict[str, int]:
    """The report's numbers, by kind."""
    lines = re.findall(r"^  (?:skipped|converted), (.+): ([\d,]+) \(", output, re.MULTILINE)
    return {kind: int(count.replace(",", "")) for kind, count in lines}


def peak_memory(run: Run) -> float:
    """Waits for the end, and returns the most that the process held, in MB."""
    peak = 0.0
    while run.process.is_alive():
        with suppress(OSError, TypeError):
            status = Path(f"/proc/{run.process.pid}/status").read_text()
            peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1000  # type: ignore[index]
        time.sleep(0.1)
    return peak


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        work, photos = Path(name) / "work", Path(name) / "photos"
        for place in (work, photos):
            place.mkdir()
        expected = fill(photos)
        write_tiny_vgg(Path(name) / "vgg.safetensors")
        (Path(name) / "vgg.safetensors").chmod(0o644)
        weights, before = f"loss_network.weights={name}/vgg.safetensors", None
        if os.geteuid() == 0:  # who could read everything
            Path(name).chmod(0o755)
            os.chown(work, NOBODY, NOBODY)
            before = partial(become_nobody, weights)
        # Twenty batches of fifty ask for every file once.
        data = ["data=folder", f"data.path={photos}", "batch=50", "steps=20", "logger.sheet_every=1000"]
        begun = time.monotonic()
        run = Run(work, "style=wave", weights, *SMALL, *data, before=before)
        memory, code = peak_memory(run), run.end()
        print(run.output)
        print(f"exit code {code} after {time.monotonic() - begun:.0f} s, at most {memory:.0f} MB")
        print("counts by kind:", "as expected" if reported(run.output) == expected else f"WRONG, wanted {expected}")
        return int(code != 0 or reported(run.output) != expected)


if __name__ == "__main__":
    sys.exit(main())
