"""Clips to stylized clips: video files, animations and numbered image sequences, each from and to any of them."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import FrameType

import numpy as np
from av.stream import Stream

from stylenet.device import memory_errors
from stylenet.disk import atomic_write, check_place, is_disk_error, printable
from stylenet.errors import UserError
from stylenet.inference.styler import Styler
from stylenet.inference.temporal import steady_stylizing
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import TooManyPixelsError
from stylenet.media.numbered_images import NumberedImages
from stylenet.media.picture import OWN_SIZE, Size
from stylenet.media.video.codecs import FORMATS, SUFFIXES, Encoding
from stylenet.media.video.reading import Clip, ClipFrame
from stylenet.media.video.resets import AnyPacket
from stylenet.media.video.stills import (
    RATE,
    AnimationFrames,
    AnimationWriter,
    ImageWriter,
    SequenceFrames,
    SequenceWriter,
)
from stylenet.media.video.timing import Span
from stylenet.media.video.writing import VideoWriter
from stylenet.pipeline.progress import Progress
from stylenet.pipeline.unfinished import CutShortError, Stopped, keep_unfinished
from stylenet.prefetch import Stopwatch, ahead, behind
from stylenet.signals import handle_signals, leave_terminal

Say = Callable[[str], None]
Source = Clip | AnimationFrames | SequenceFrames
Target = VideoWriter | ImageWriter
Item = ClipFrame | AnyPacket


@dataclass(frozen=True)
class ClipJob:
    """A clip to stylize, and how. Source and target are files, or sequences by their pattern (`frames/%04d.png`).

    `smoothing`, in seconds, is that of the temporal statistics. `codec` and `crf` are a video file's, `quality` an
    image's (JPEG, WebP), `rate` that of a sequence that is read, in frames per second. `pixels` limits all frames
    together, as they are stylized; None is any number. `keep`: what was done before an error stays, as after a signal.
    `name` is a video file's in messages, by default its path.
    """

    source: Path
    target: Path
    smoothing: float
    span: Span = Span()
    size: Size = OWN_SIZE
    codec: str | None = None
    crf: int | None = None
    quality: int | None = None
    rate: Fraction = RATE
    pixels: int | None = None
    keep: bool = True
    name: str | None = None


def stylize_clip(styler: Styler, job: ClipJob, say: Say, progress: Say | None = None) -> str:
    """Does the job and returns a line about it; `say` takes a line for each thing that cannot be kept.

    `progress` takes lines about the frames so far, where there is no terminal for a bar. Raises `UserError` when the
    clip cannot be read or written, `CutShortError` if that shows only within it, `Stopped` after a signal that ends
    commands. With these two, what was done by then stands beside the target, as a file that plays.
    """
    with open_source(job) as source, open_target(job) as temporary, collected_signals() as caught:
        failure: UserError | OSError | None = None
        with open_writer(job, source, temporary) as writer:
            if writer.left_out():
                say(f"{source.name}: left out of the {job.target.suffix} file: {list_streams(writer.left_out())}")
            shown = Progress(source.name, frames_of(source), progress)
            watch = Stopwatch()
            try:
                with memory_errors(f"{source.name}: not enough memory for this clip"):
                    stylize_items(styler, job, source, writer, caught, shown, watch)
            except (UserError, OSError) as error:
                if not (job.keep and writer.begun) or is_disk_error(error):
                    raise
                failure = error
            if caught and not writer.begun:
                raise Stopped(f"{source.name}: stopped before the first frame", caught[0])
            finish(writer, failure)
        if caught or failure is not None:
            unfinished = printable(keep_unfinished(temporary, job.target))
            resume_at = job.span.start + writer.seconds
        for text in (*source.notes(), *writer.notes()):
            say(f"{source.name}: {text}")
        if caught:
            raise Stopped(f"{source.name}: stopped; frames so far are in {unfinished}", caught[0], resume_at)
        if failure is not None:
            raise CutShortError(
                f"{reason(failure, job.target)}; frames so far are in {unfinished}", resume_at
            ) from failure
    size = f"{writer.size[0]} x {writer.size[1]}"
    return f"{source.name} -> {printable(job.target)}  {size}, {watch}"


def finish(writer: Target, failure: UserError | OSError | None) -> None:
    """Finishes the file; after a failure, that one is what is said where this fails too."""
    try:
        writer.finish()
    except (UserError, OSError):
        if failure is None:
            raise
        raise failure from None


def reason(error: UserError | OSError, target: Path) -> str:
    """The error in one line, with the target's name where it has none."""
    return str(error) if isinstance(error, UserError) else f"{printable(target)}: {error.strerror}"


def open_source(job: ClipJob) -> Source:
    """The job's source by its name. Raises `UserError`."""
    sequence = NumberedImages.of(os.fspath(job.source))
    if sequence is not None:
        return SequenceFrames(sequence, job.span, job.size, job.rate)
    if job.source.suffix.lower() in SUFFIXES:
        numbered = NumberedImages.of(os.fspath(job.target)) is not None
        return Clip(job.source, job.span, job.size, numbered, job.name)
    return AnimationFrames(job.source, job.span, job.size)


def open_target(job: ClipJob) -> AbstractContextManager[Path]:
    """A file beside the target, which takes its name in the end; a sequence's files do so one by one.

    Raises `UserError` when it cannot be written.
    """
    sequence = NumberedImages.of(os.fspath(job.target))
    check_place(sequence.file(1) if sequence else job.target)
    return nullcontext(job.target) if sequence else atomic_write(job.target)


def open_writer(job: ClipJob, source: Source, temporary: Path) -> Target:
    """A writer for the job's target by its name. Raises `UserError`."""
    sequence, suffix = NumberedImages.of(os.fspath(job.target)), job.target.suffix.lower()
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


def frames_of(source: Source) -> int | None:
    """The number of frames to come, if the source knows its length."""
    return round(source.seconds * source.rate) if source.seconds is not None else None


def stylize_items(
    styler: Styler,
    job: ClipJob,
    source: Source,
    writer: Target,
    caught: list[int],
    progress: Progress,
    watch: Stopwatch,
) -> None:
    """Takes the clip through the network into the writer, until its end or a signal."""
    reading, stylizing = ahead(source.items(set(writer.copies))), steady_stylizing(styler, job.smoothing)
    with progress, behind(writer.write) as put, stylizing as stylize, reading as items:
        for item in limit_pixels(items, source.name, job.pixels):
            if caught:
                break
            if isinstance(item, ClipFrame):
                with watch.running():
                    colors = stylize(item.pixels[..., :3], float(item.pts * source.time_base))
                item = replace(item, pixels=with_opacity(colors, item.pixels))
                progress.update()
            put(item)


def limit_pixels(items: Iterable[Item], name: str, most: int | None) -> Iterator[Item]:
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
def collected_signals() -> Iterator[list[int]]:
    """Collects ending signals while the block runs, for it to end in order; the next Ctrl-C ends at once."""
    caught: list[int] = []

    def catch(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        leave_terminal()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with handle_signals(catch):
        yield caught


def list_streams(streams: list[Stream]) -> str:
    """Names streams, as in `subtitle 2 (subrip), data 3`."""
    return ", ".join(f"{stream.type} {stream.index}{codec(stream)}" for stream in streams)


def codec(stream: Stream) -> str:
    return f" ({stream.codec_context.codec.canonical_name})" if stream.codec_context else ""
