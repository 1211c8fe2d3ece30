"""The work of `infer` on clips, raw frames and cameras, once its options were checked."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from stylenet.cli.infer_video import RATE, smoothing_of, span_of
from stylenet.device import memory_errors
from stylenet.disk import printable
from stylenet.errors import UserError, prefix_errors
from stylenet.inference.styler import Styler
from stylenet.media.picture import Size
from stylenet.media.video.timing import written_time
from stylenet.pipeline.job import Job
from stylenet.pipeline.unfinished import CutShortError, Stopped

Say = Callable[[str], None]  # prints a line for the user


def stylize_live(options: argparse.Namespace, styler: Styler, say: Say) -> int:
    """Stylizes raw frames or a camera's until they end; returns the exit code."""
    if options.raw is not None:
        return stylize_pipe(options, styler, say)
    if options.inputs:
        raise UserError(f"--camera takes no inputs, got {printable(options.inputs[0])}")
    with pyav():
        from stylenet.pipeline.camera import stylize_camera
    with prefix_errors("--camera"):
        say(str(stylize_camera(styler, options.camera, smoothing_of(options), options.output)))
    return 0


def stylize_pipe(options: argparse.Namespace, styler: Styler, say: Say) -> int:
    if options.inputs not in ([], ["-"]) or options.output not in (None, "-"):
        raise UserError("--raw reads from stdin and writes to stdout: no inputs, no output")
    from stylenet.pipeline.raw_frames import end_as_filters_do, read_size, stylize_raw

    with prefix_errors("--raw"):
        size, smoothing = read_size(options.raw), smoothing_of(options)
        if sys.stdin.isatty() or sys.stdout.isatty():
            raise UserError("frames are read from and written to a pipe or file, not a terminal")
        end_as_filters_do()
        say(str(stylize_raw(styler, size, smoothing, sys.stdin.buffer, sys.stdout.buffer)))
    return 0


def stylize_clips(options: argparse.Namespace, jobs: Sequence[Job], skipped: int, styler: Styler, say: Say) -> int:
    """Stylizes clips one by one; one that fails does not keep the next. Returns the exit code.

    `skipped` clips are counted beside them.
    """
    if not jobs:  # nor is PyAV needed
        print_counts(0, 0, skipped)
        return 0
    settings = clip_settings(options)
    with pyav():
        from stylenet.pipeline.clip import ClipJob, reason, stylize_clip
    failed = 0
    for done, job in enumerate(jobs):
        try:
            with memory_errors(f"{printable(job.source)}: not enough memory for this clip"):
                print(stylize_clip(styler, ClipJob(job.source, job.target, **settings), say, say), flush=True)
        except Stopped as stop:
            left = len(jobs) - done - 1
            say(f"{with_advice(stop)}{f'; {left} more not begun (--skip-existing resumes)' if left else ''}")
            return stop.code
        except CutShortError as error:
            say(with_advice(error))
            failed += 1
        except BrokenPipeError:  # the reader of standard output has gone: nothing is left to do
            raise
        except (UserError, OSError) as error:
            say(with_source(reason(error, job.target), job))
            failed += 1
    print_counts(len(jobs) - failed, failed, skipped)
    return 1 if failed else 0


def with_source(line: str, job: Job) -> str:
    """An error's line, behind the name of the clip where it names neither that nor the result."""
    source, target = printable(job.source), printable(job.target)
    return line if source in line or target in line else f"{source}: {line}"


def clip_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say of a `ClipJob`."""
    return {
        "smoothing": smoothing_of(options),
        "span": span_of(options),
        "size": Size(options.size, options.max_size, options.max_pixels),
        "codec": options.codec,
        "crf": options.crf,
        "quality": options.quality,
        "rate": options.rate or Fraction(RATE),
    }


def with_advice(end: Stopped | CutShortError) -> str:
    """The message, with how to go on."""
    return str(end) if end.resume_at is None else f"{end}; continue with --start {written_time(end.resume_at)}"


def print_counts(done: int, failed: int, skipped: int) -> None:
    """Prints how many clips there are of each kind, if there is more than one."""
    if done + failed + skipped > 1:
        counts = {"failed": failed, "skipped": skipped}
        videos = "1 video" if done == 1 else f"{done} videos"
        print(", ".join([videos, *(f"{count} {what}" for what, count in counts.items() if count)]), flush=True)


@contextmanager
def pyav() -> Iterator[None]:
    """Surrounds an import that needs PyAV. Raises `UserError` without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "av":
            raise
        raise UserError("video needs PyAV: pip install 'stylenet[video]'") from None
