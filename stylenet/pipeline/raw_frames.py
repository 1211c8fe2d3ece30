"""Raw frames through a pipe: 3 bytes per pixel (RGB), row by row, frame by frame, without a header."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from stylenet.disk import printable, refusal
from stylenet.errors import UserError
from stylenet.inference.styler import Styler
from stylenet.inference.temporal import steady_stylizing
from stylenet.media.limits import MINIMUM_SIDE
from stylenet.prefetch import Stopwatch, ahead, behind
from stylenet.signals import signals_to_handle

RATE = 25  # frames per second, for the temporal statistics: a pipe has no times


def read_size(text: str) -> tuple[int, int]:
    """Width and height from `640x360`. Raises `UserError` for anything else."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match or min(size := (int(match[1]), int(match[2]))) < MINIMUM_SIDE:
        wanted = f"WIDTHxHEIGHT in pixels, each at least {MINIMUM_SIDE}"
        raise UserError(f"a size is {wanted}, as in 640x360, got {printable(text)}")
    return size


def stylize_raw(
    styler: Styler, size: tuple[int, int], smoothing: float, source: BinaryIO, target: BinaryIO
) -> Stopwatch:
    """Stylizes all frames of `source`. Raises `UserError` when it ends within one, or a stream fails."""
    watch = Stopwatch()
    reading, stylizing = ahead(frames(source, *size)), steady_stylizing(styler, smoothing)
    with behind(written(target)) as put, stylizing as stylize, reading as taken:
        for frame in taken:
            with watch.running():
                stylized = stylize(frame, watch.count / RATE)
            put(stylized)
    return watch


def frames(source: BinaryIO, width: int, height: int) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    wanted = width * height * 3
    while data := read(source, wanted):
        if len(data) < wanted:
            raise UserError(
                f"the stream ends within a frame, after {len(data):,} of {wanted:,} bytes: check the frame size"
            )
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def read(source: BinaryIO, wanted: int) -> bytes:
    """Of a pipe, all of it or what there is at its end."""
    with stream_errors("standard input"):
        return source.read(wanted)


def written(target: BinaryIO) -> Callable[[UInt8[np.ndarray, "h w 3"]], None]:
    def write(frame: UInt8[np.ndarray, "h w 3"]) -> None:
        with stream_errors("standard output"):
            target.write(np.ascontiguousarray(frame).data)
            target.flush()

    return write


@contextmanager
def stream_errors(name: str) -> Iterator[None]:
    """Makes one line of what the system refuses, but for a reader that has gone: then nobody is left to tell."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(refusal(error, name)) from error


def end_as_filters_do() -> None:
    """Lets a signal, or a closed pipe, end the process at once, as nothing has to be finished."""
    pipe = getattr(signal, "SIGPIPE", None)  # which Windows lacks
    for number in (*signals_to_handle(), *(() if pipe is None else (pipe,))):
        signal.signal(number, signal.SIG_DFL)
