"""A video file, stylized into another."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import FrameType

from av.stream import Stream
from tqdm import tqdm

from stylenet.disk import shown, written_aside
from stylenet.inference.temporal import Stylizt, steady_stylizing
from stylenet.media.video.codecs import Encoding
from stylenet.media.video.reading import Clip, Picture
from stylenet.media.video.timing import Span, written_time
from stylenet.media.video.writing import Writer
from stylenet.pipeline.prefetch import Stopwatch, ahead, behind

BAR = "{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left"


@dataclass(frozen=True)
class Job:
    """A clip to stylize, and how. `memory`: of the statistics, in seconds."""

    source: Path
    target: Path
    encoding: Encoding
    span: Span
    memory: float


class Stopped(Exception):  # noqa: N818  # no error, as KeyboardInterrupt is none
    """The user ended the work by a signal, before the clip was through. The message says what there is."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.code = 128 + number  # what a shell expects


def stylize_clip(stylizt: Stylizt, job: Job, say: Callable[[str], None]) -> str:
    """Does the job and reports in a line; `say` hears in a line each of what can't be kept.

    Raises `UserError` when the clip can't be read or written, `Stopped` after Ctrl-C or SIGTERM: what was done by then
    stands beside the target, whole in itself.
    """
    with Clip(job.source, job.span) as clip, written_aside(job.target) as aside, signals() as caught:
        with Writer(aside, shown(job.target), clip, job.encoding) as writer:
            if writer.left_out():
                say(f"{clip.name}: left out of the {job.target.suffix} file: {listed(writer.left_out())}")
            watch = stylize_items(stylizt, job, clip, writer, caught)
            if caught and not writer.begun:
                raise Stopped(f"{clip.name}: stopped before the first frame", caught[0])
            writer.finish()
        for text in remarks(clip, writer):
            say(f"{clip.name}: {text}")
        if caught:
            raise Stopped(kept(aside, job, writer.seconds), caught[0])
    size = f"{writer.video.width} x {writer.video.height}"
    return f"{clip.name} -> {shown(job.target)}  {size}, {watch}"


def stylize_items(stylizt: Stylizt, job: Job, clip: Clip, writer: Writer, caught: list[int]) -> Stopwatch:
    """Takes the clip through the network into the writer, until its end or a signal."""
    total = round(clip.seconds * clip.rate) if clip.seconds is not None else None
    bar = tqdm(total=total, unit=" frames", desc=clip.name, disable=None, leave=False, bar_format=BAR)
    watch = Stopwatch()
    reading, stylizing = ahead(clip.items(set(writer.copies))), steady_stylizing(stylizt, job.memory)
    with bar, behind(writer.write) as put, stylizing as stylize, reading as items:
        for item in items:
            if caught:
                break
            if isinstance(item, Picture):
                with watch.running():
                    item = replace(item, pixels=stylize(item.pixels, float(item.pts * clip.time_base)))
                bar.update()
            put(item)
    return watch


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collects Ctrl-C and SIGTERM while the block runs, for it to end in order; the next Ctrl-C ends at once."""
    caught: list[int] = []

    def catch(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def kept(aside: Path, job: Job, seconds: Fraction) -> str:
    """Renames what was written so far, not over an earlier result, and says so."""
    unfinished = job.target.with_name(f"{job.target.stem}-unfinished{job.target.suffix}")
    os.replace(aside, unfinished)
    rest = written_time(job.span.start + seconds)
    return f"{shown(job.source)}: stopped; {shown(unfinished)} plays to here, --start {rest} goes on"


def remarks(clip: Clip, writer: Writer) -> Iterator[str]:
    """What the result does not have of the clip."""
    width, height = writer.size
    if writer.hdr:
        yield "HDR became BT.709, as an ordinary screen shows it"
    if width % 2 or height % 2:
        yield f"{width} x {height} pixels lost a row or column, as the encoder takes even sides only"
    if clip.damaged:
        yield f"{clip.damaged} damaged packets left out"


def listed(streams: list[Stream]) -> str:
    """As in `subtitle 2 (subrip), data 3`."""
    return ", ".join(f"{stream.type} {stream.index}{codec(stream)}" for stream in streams)


def codec(stream: Stream) -> str:
    return f" ({stream.codec_context.codec.canonical_name})" if stream.codec_context else ""
