"""Feeds mutilated files to the parsers of untrusted files, and counts the outcomes.

    python tools/campaigns/fuzz.py decode --inputs 100000       image files, as infer.py reads them
    python tools/campaigns/fuzz.py photo --inputs 20000         image files, as train.py reads its photos
    python tools/campaigns/fuzz.py command --inputs 2000        the same through the whole of infer.py, in one process
    python tools/campaigns/fuzz.py process --inputs 50          the same, each in a process of its own
    python tools/campaigns/fuzz.py style --inputs 20000         style files to stylenet.models.style_file.read_style
    python tools/campaigns/fuzz.py checkpoint --inputs 20000    PyTorch files to stylenet.models.state_dict

The same seed, Pillow and torch give the same inputs. Each runs in a forked process, under limits of time and memory. A
crash, a hang, an exception that is no message for the user, output that is not whole: each is a fault, told with the
command that repeats it. The exit code is 1 if there was one. Needs Linux.
"""

import argparse
import contextlib
import io
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import PIL
import torch
from mutations import mutated
from PIL import Image
from seeds import checkpoints, pictures, style_files
from workers import survey

from stylenet.data.decoder import UnusablePhotoError, decode_photo
from stylenet.media.limits import ImageError
from stylenet.media.picture import Picture, Size
from stylenet.models.state_dict import read_state_dict
from stylenet.models.style_file import StyleFileError, read_style

ROOT = Path(__file__).resolve().parents[2]

SUFFIXES = (".jpg", ".png", ".webp", ".tif", ".gif", ".bmp", ".ppm", ".avif")
NAMES = ("plain", "new\nline", 'it\'s "quoted"', "-dash", "g[l]*b?", "$(true)", "\x1b[2J", "é", "x" * 200)
NAMES += (os.fsdecode(b"\xff\xfe"),)
PIXELS = 20_000_000  # more is refused: so many inputs have no time for gigabytes
FAULTS = ("crash", "hang", "wrong")


def decode(data: bytes, _: int, folder: Path) -> str:
    try:
        for frame in Picture.open(data, Size(max_pixels=PIXELS)).frames():
            image = frame.colors
            check(image.mode == "RGB" and len(image.tobytes()) == 3 * image.width * image.height, "no whole RGB image")
    except ImageError as error:
        return "no-memory" if isinstance(error.__cause__, MemoryError) else refused(error)
    return "picture"


def photo(data: bytes, _: int, folder: Path) -> str:
    try:
        decode_photo(data, 64)
    except UnusablePhotoError as error:
        return refused(error)
    return "picture"


def style(data: bytes, _: int, folder: Path) -> str:
    path = folder / "strange.safetensors"
    path.write_bytes(data)
    try:
        read_style(path)
    except StyleFileError as error:
        return refused(error)
    return "loaded"


def checkpoint(data: bytes, _: int, folder: Path) -> str:
    try:
        read_state_dict(io.BytesIO(data))
    except ValueError as error:
        return refused(error)
    return "loaded"


def refused(error: Exception) -> str:
    check(str(error).isprintable() and len(str(error)) < 1000, "a message that is no line")
    return "refused"


def check(fine: bool, wrong: str) -> None:
    if not fine:
        raise ValueError(wrong)


def command(data: bytes, number: int, folder: Path, run: Callable[[list[str]], tuple[int, str, str]]) -> str:
    """`infer.py` with one image, under one of the strange names."""
    name = f"{NAMES[number % len(NAMES)]}{SUFFIXES[number % len(SUFFIXES)]}"
    source, target = folder / "in" / name, folder / "out"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    style = str(folder / "tiny.safetensors")
    try:
        code, out, err = run(["-s", style, "--device", "cpu", "-o", str(target), "--", str(source)])
        results = list(target.iterdir()) if target.exists() else []
        wanted = (0, 1, 0, 1) if code == 0 else (1, 0, 1, 0)
        # libtiff has a line of its own to say now and then.
        complaints = sum(line.startswith("infer.py: ") for line in err.splitlines())
        got = (code, out.count("\n"), complaints, len(results))
        check(got == wanted and "Traceback" not in err, f"exit code, lines, complaints, files: {got}; {err}")
        check(source.read_bytes() == data, "the input was changed")
        for result in results:
            with Image.open(result) as image:
                image.load()
            result.unlink()
    finally:
        source.unlink()
    return "picture" if code == 0 else "refused"


def here(arguments: list[str]) -> tuple[int, str, str]:
    """Runs infer.py in this process; its exit code, output and complaints."""
    sys.argv = ["infer.py", *arguments]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(str(ROOT / "infer.py"), run_name="__main__")
        except SystemExit as end:
            code = int(end.code or 0)
        out.flush(), err.flush()
    return code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()  # type: ignore[attr-defined]


def apart(arguments: list[str]) -> tuple[int, str, str]:
    """Runs infer.py as a user does."""
    done = subprocess.run([sys.executable, str(ROOT / "infer.py"), *arguments], capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Target(NamedTuple):
    work: Callable[[bytes, int, Path], str]
    stock: Callable[[], dict[str, bytes]]
    seconds: float = 10.0  # of work for one input; ten times as many by the clock
    memory: int = 1 << 30  # bytes of address space that a worker may take beyond what it starts with


TARGETS = {
    "decode": Target(decode, pictures),
    "photo": Target(photo, pictures),
    "command": Target(partial(command, run=here), pictures, seconds=30.0, memory=6 << 30),
    "process": Target(partial(command, run=apart), pictures, seconds=30.0, memory=16 << 30),
    "style": Target(style, style_files),
    "checkpoint": Target(checkpoint, checkpoints),
}


def campaign(name: str, seed: int, numbers: range) -> bool:
    """Prints what came of it; whether it went without a fault."""
    target, stock = TARGETS[name], list(TARGETS[name].stock().values())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tiny.safetensors").write_bytes(style_files()["fp32"])

        def work(number: int) -> str:
            return target.work(mutated(stock, seed, number), number, Path(folder))

        result = survey(work, numbers, target.seconds, target.memory)
    counts = ", ".join(f"{result.counts[what]:,} {what}" for what in sorted({*result.counts, *FAULTS}))
    versions = f"Pillow {PIL.__version__}, torch {torch.__version__}"
    print(f"{name}, seed {seed}, from {numbers.start}: {result.done:,} inputs: {counts}", end="; ")
    print(
        f"slowest {result.slowest[0]:.2f} s (number {result.slowest[1]}), memory +{result.memory >> 20} MB; {versions}"
    )
    for number, what in result.faults:
        print(f"  {what}: python tools/campaigns/fuzz.py {name} --seed {seed} --start {number} --inputs 1")
    return not result.faults


def arguments(typed: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(typed)


def main() -> int:
    chosen = arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # a fork inherits no threads
    whole = campaign(chosen.target, chosen.seed, range(chosen.start, chosen.start + chosen.inputs))
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
