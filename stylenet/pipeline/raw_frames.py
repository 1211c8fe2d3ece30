"""Raw frames through a pipe: 3 bytes per pixel (RGB), row by row, frame by frame, without a header."""

import re
import signal
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.inference.styler import Styler
from stylenet.inference.temporal import steady_stylizing
from stylenet.media.limits import MINIMUM_SIDE
from stylenet.prefetch import Stopwatch, ahead, behind

RATE = 25  # frames per second, for the temporal statistics: a pipe has no times


def read_size(text: str) -> tuple[int, int]:
    """Width and height from `640x360`. Raises `UserError` for anything else."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match or min(size := (int(match[1]), int(match[2]))) < MINIMUM_SIDE:
        wanted = f"WIDTHxHEIGHT in pixels, each at least {MINIMUM_SIDE}"
        raise UserError(f"a size is {wanted}, as in 640x360, got {printable(text)}")
    return size


def stylize_raw(styler: Styler, size: tuple[int, int], memory: float, source: BinaryIO, target: BinaryIO) -> Stopwatch:
    """Stylizes all frames of `source`. Raises `UserError` when it ends within one."""
    watch = Stopwatch()
    reading, stylizing = ahead(frames(source, *size)), steady_stylizing(styler, memory)
    with behind(written(target)) as put, stylizing as stylize, reading as taken:
        for frame in taken:
            with watch.running():
                stylized = stylize(frame, watch.count / RATE)
            put(stylized)
    return watch


def frames(source: BinaryIO, width: int, height: int) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    wanted = width * height * 3
    while data := source.read(wanted):  # of a pipe, all of it or what there is at its end
        if len(data) < wanted:
            raise UserError(
                f"the stream ends within a frame, after {len(data):,} of {wanted:,} bytes: check the frame size"
            )
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def written(target: BinaryIO) -> Callable[[UInt8[np.ndarray, "h w 3"]], None]:
    def write(frame: UInt8[np.ndarray, "h w 3"]) -> None:
        target.write(np.ascontiguousarray(frame).data)
        target.flush()

    return write


def end_as_filters_do() -> None:
    """Lets a signal, or a closed pipe, end the process at once, as nothing has to be finished."""
    for name in ("SIGINT", "SIGTERM", "SIGPIPE"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
