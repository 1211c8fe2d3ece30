"""The video options of `infer`, and the checks of their values."""

import argparse
import os
from collections.abc import Sequence
from fractions import Fraction

from stylenet.disk import shown
from stylenet.errors import UserError, prefix_errors
from stylenet.inference.settings import MEMORY
from stylenet.media.sequence import Sequence as Numbered
from stylenet.media.video.codecs import CODECS, FORMATS, SUFFIXES, format_of, rate_factor
from stylenet.media.video.timing import Span, read_time
from stylenet.pipeline.plan import Job

RATES = 1, 240  # frames per second
IMAGE_OPTIONS = ("format",)
OPTIONS = ("start", "end", "codec", "crf", "steady", "rate", "raw", "camera")
# Options of files that live input does not have.
FILE_OPTIONS = ("size", "max_size", "format", "quality", "skip_existing")


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """Adds the group of options that only videos have."""
    group = parser.add_argument_group(
        "video", f"Needs pip install 'stylenet[video]'. Writes {' '.join(FORMATS)}; also .gif, .webp, .png animations."
    )
    add = group.add_argument
    add("--start", metavar="TIME", help="start of the part to stylize: seconds, or hours:minutes:seconds")
    add("--end", metavar="TIME", help="end of the part, in source time")
    add("--codec", choices=CODECS, help="default: h264 (vp9 for .webm; vp9 or prores where there is transparency)")
    crf = "constant rate factor: lower is better (h264: 0 to 51, default 18; +6 about halves the size)"
    add("--crf", type=int, metavar="NUMBER", help=crf)
    add("--rate", metavar="FPS", help="frame rate of numbered images (frames/%%04d.png) as input; default: 25")
    steady = f"temporal smoothing in seconds; 0 disables it; default: {MEMORY:g}"
    add("--steady", type=float, metavar="SECONDS", help=steady)
    add("--raw", metavar="WIDTHxHEIGHT", help="raw RGB frames from stdin to stdout, 3 bytes per pixel (without PyAV)")
    add("--camera", type=int, metavar="NUMBER", help="live from this camera into a window, or into -o /dev/videoN")


def is_live(options: argparse.Namespace) -> bool:
    """Whether frames come from a camera or a pipe. Raises `UserError` for an option that these do not have."""
    if options.raw is None and options.camera is None:
        return False
    kind = "raw" if options.raw is not None else "camera"
    others = [name for name in OPTIONS if name not in (kind, "steady") and getattr(options, name) is not None]
    others += [name for name in FILE_OPTIONS if getattr(options, name)]
    if others:
        raise UserError(f"--{kind} cannot be combined with --{others[0].replace('_', '-')}")
    return True


def check_kinds(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Raises `UserError` for an option that applies to none of the jobs."""
    clips = [job for job in jobs if job.is_clip]
    given = [name for name in OPTIONS if getattr(options, name) is not None]
    if given and not clips:
        raise UserError(f"--{given[0]} is for videos ({' '.join(sorted(SUFFIXES))})")
    if options.rate is not None and not any(Numbered.of(os.fspath(job.source)) for job in clips):
        raise UserError("--rate is for numbered images as input, like frames/%04d.png")
    given = [name for name in IMAGE_OPTIONS if getattr(options, name)]
    if given and jobs and len(clips) == len(jobs):
        raise UserError(f"--{given[0]} is for images; the output's suffix chooses a video's format")


def check_encoding(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Raises `UserError`, which names the option, for a codec or rate factor that a target does not take."""
    for target in {job.target for job in jobs if job.target.suffix.lower() in FORMATS}:
        with prefix_errors(f"--codec: {shown(target)}"):
            codec = format_of(target).codec(options.codec)
        with prefix_errors("--crf"):
            rate_factor(codec, options.crf)


def memory_of(options: argparse.Namespace) -> float:
    memory: float = MEMORY if options.steady is None else options.steady
    if not 0 <= memory < 3600:
        raise UserError(f"--steady must be 0 to 3600 seconds, got {memory:g}")
    return memory


def span_of(options: argparse.Namespace) -> Span:
    with prefix_errors("--start"):
        start = Fraction(0) if options.start is None else read_time(options.start)
    with prefix_errors("--end"):
        return Span(start, None if options.end is None else read_time(options.end))


def rate_of(options: argparse.Namespace) -> Fraction:
    try:
        rate = Fraction(25 if options.rate is None else options.rate)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"--rate must be {RATES[0]} to {RATES[1]} frames per second, got {shown(str(options.rate))}")
    return rate
