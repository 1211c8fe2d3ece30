"""Clips to stylized clips: video files, animations and numbered image sequences, each from and to any of them."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from types import FrameType

import numpy as np
from av.stream import Stream
from tqdm import tqdm

from stylenet.disk import atomic_write, check_place, printable
from stylenet.errors import UserError
from stylenet.inference.styler import Styler
from stylenet.inference.temporal import steady_stylizing
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import TooManyPixelsError
from stylenet.media.picture import OWN_SIZE, Size
from stylenet.media.sequence import Sequence
from stylenet.media.video.codecs import FORMATS, SUFFIXES, Encoding
from stylenet.media.video.reading import AnyPacket, Clip, ClipFrame
from stylenet.media.video.stills import (
    RATE,
    AnimationFrames,
    AnimationWriter,
    ImageWriter,
    SequenceFrames,
    SequenceWriter,
)
from stylenet.media.video.timing import Span, written_time
from stylenet.media.video.writing import VideoWriter
from stylenet.prefetch import Stopwatch, ahead, behind

BAR = "{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left"
Source = Clip | AnimationFrames | SequenceFrames
Target = VideoWriter | ImageWriter
Item = ClipFrame | AnyPacket


@dataclass(frozen=True)
class ClipJob:
    """A clip to stylize, and how. Source and target are files, or sequences by their pattern (`frames/%04d.png`).

    `memory`, in seconds, is that of the temporal statistics. `codec` and `crf` are a video file's, `quality` an
    image's (JPEG, WebP), `rate` that of a sequence that is read, in frames per second. `pixels` limits all frames
    together, as they are stylized; None is any number. `name` is a video file's in messages, by default its path.
    """

    source: Path
    target: Path
    memory: float
    span: Span = Span()
    size: Size = OWN_SIZE
    codec: str | None = None
    crf: int | None = None
    quality: int | None = None
    rate: Fraction = RATE
    pixels: int | None = None
    name: str | None = None


class Stopped(Exception):  # noqa: N818  # no error, as KeyboardInterrupt is none
    """The user ended the work by a signal, before the clip was through. The message says what is kept."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.code = 128 + number  # what a shell expects


def stylize_clip(styler: Styler, job: ClipJob, say: Callable[[str], None]) -> str:
    """Does the job and returns a line about it; `say` takes a line for each thing that cannot be kept.

    Raises `UserError` when the clip cannot be read or written, `Stopped` after Ctrl-C or SIGTERM: what was done by then
    stands beside the target, as a file that plays.
    """
    with open_source(job) as source, open_target(job) as temporary, signals() as caught:
        with open_writer(job, source, temporary) as writer:
            if writer.left_out():
                say(f"{source.name}: left out of the {job.target.suffix} file: {listed(writer.left_out())}")
            watch = stylize_items(styler, job, source, writer, caught)
            if caught and not writer.begun:
                raise Stopped(f"{source.name}: stopped before the first frame", caught[0])
            writer.finish()
        for text in (*source.notes(), *writer.notes()):
            say(f"{source.name}: {text}")
        if caught:
            raise Stopped(kept(temporary, job, writer.seconds), caught[0])
    size = f"{writer.size[0]} x {writer.size[1]}"
    return f"{source.name} -> {printable(job.target)}  {size}, {watch}"


def open_source(job: ClipJob) -> Source:
    """The job's source by its name. Raises `UserError`."""
    sequence = Sequence.of(os.fspath(job.source))
    if sequence is not None:
        return SequenceFrames(sequence, job.span, job.size, job.rate)
    if job.source.suffix.lower() in SUFFIXES:
        numbered = Sequence.of(os.fspath(job.target)) is not None
        return Clip(job.source, job.span, job.size, numbered, job.name)
    return AnimationFrames(job.source, job.span, job.size)


def open_target(job: ClipJob) -> AbstractContextManager[Path]:
    """A file beside the target, which takes its name in the end; a sequence's files do so one by one.

    Raises `UserError` when it cannot be written.
    """
    sequence = Sequence.of(os.fspath(job.target))
    check_place(sequence.file(1) if sequence else job.target)
    return nullcontext(job.target) if sequence else atomic_write(job.target)


def open_writer(job: ClipJob, source: Source, temporary: Path) -> Target:
    """A writer for the job's target by its name. Raises `UserError`."""
    sequence, suffix = Sequence.of(os.fspath(job.target)), job.target.suffix.lower()
    if sequence is not None:
        return SequenceWriter(sequence, source, job.quality)
    if suffix in FORMATS or suffix not in WRITABLE:
        return VideoWriter(
            temporary, printable(job.target), source, Encoding.of(job.target, job.codec, job.crf, source.alpha)
        )
    if not WRITABLE[suffix].frames:
        wanted = ", ".join(name for name, format_ in WRITABLE.items() if format_.frames)
        problem = f"{printable(job.target)}: holds a single image, not a video"
        raise UserError(f"{problem}; {wanted} hold animations, and names like %04d{suffix} a sequence")
    return AnimationWriter(temporary, job.target, source, job.quality)


def stylize_items(styler: Styler, job: ClipJob, source: Source, writer: Target, caught: list[int]) -> Stopwatch:
    """Takes the clip through the network into the writer, until its end or a signal."""
    total = round(source.seconds * source.rate) if source.seconds is not None else None
    bar = tqdm(total=total, unit=" frames", desc=source.name, disable=None, leave=False, bar_format=BAR)
    watch = Stopwatch()
    reading, stylizing = ahead(source.items(set(writer.copies))), steady_stylizing(styler, job.memory)
    with bar, behind(writer.write) as put, stylizing as stylize, reading as items:
        for item in within(items, source.name, job.pixels):
            if caught:
                break
            if isinstance(item, ClipFrame):
                with watch.running():
                    colors = stylize(item.pixels[..., :3], float(item.pts * source.time_base))
                item = replace(item, pixels=with_opacity(colors, item.pixels))
                bar.update()
            put(item)
    return watch


def within(items: Iterable[Item], name: str, most: int | None) -> Iterator[Item]:
    """The items, until the pixels of all frames together are too many. Raises `TooManyPixelsError`.

    They are counted as they come, as a file may say anything of its own length.
    """
    count = 0
    for item in items:
        if isinstance(item, ClipFrame):
            count += item.pixels.shape[0] * item.pixels.shape[1]
        if most is not None and count > most:
            raise TooManyPixelsError(f"{name}: the frames together have more pixels than the limit of {most:,}")
        yield item


def with_opacity(colors: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The colors with the opacity of the other pixels, if they have any."""
    return colors if pixels.shape[2] == 3 else np.dstack([colors, pixels[..., 3]])


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collects Ctrl-C and SIGTERM while the block runs, for it to end in order; the next Ctrl-C ends at once."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # others get no signals
        yield caught
        return

    def catch(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def kept(temporary: Path, job: ClipJob, seconds: Fraction) -> str:
    """Gives what was written so far a name that is not taken yet, and says which."""
    unfinished = job.target
    if temporary != job.target:
        unfinished = free_name(job.target)
        os.replace(temporary, unfinished)
    rest = written_time(job.span.start + seconds)
    return (
        f"{printable(job.source)}: stopped; frames so far are in {printable(unfinished)}; continue with --start {rest}"
    )


def free_name(target: Path) -> Path:
    """`clip-unfinished.mp4`, or with a number where there is one already: the parts of a clip stopped twice."""
    names = (f"{target.stem}-unfinished{'' if number == 1 else f'-{number}'}{target.suffix}" for number in count(1))
    return next(path for name in names if not (path := target.with_name(name)).exists())


def listed(streams: list[Stream]) -> str:
    """Names streams, as in `subtitle 2 (subrip), data 3`."""
    return ", ".join(f"{stream.type} {stream.index}{codec(stream)}" for stream in streams)


def codec(stream: Stream) -> str:
    return f" ({stream.codec_context.codec.canonical_name})" if stream.codec_context else ""
