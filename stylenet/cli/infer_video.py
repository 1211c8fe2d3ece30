"""The video options of `infer`, and the checks of their values."""

import argparse
import os
from collections.abc import Sequence
from fractions import Fraction

from stylenet.disk import printable
from stylenet.errors import UserError, prefix_errors
from stylenet.inference.settings import SMOOTHING
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import MAXIMUM_PIXELS
from stylenet.media.numbered_images import NumberedImages
from stylenet.media.video.codecs import CODECS, FORMATS, SUFFIXES, format_of, rate_factor
from stylenet.media.video.timing import Span, read_time
from stylenet.pipeline.job import STANDARD_OUTPUT, Job

RATE, RATES = 25, (1, 240)  # frames per second: the default, and the range
IMAGE_OPTIONS, ENCODING_OPTIONS = ("format",), ("codec", "crf")
OPTIONS = ("start", "end", "codec", "crf", "steady", "rate", "raw", "camera")
# Options of files that live input does not have.
FILE_OPTIONS = ("size", "max_size", "format", "quality", "skip_existing", "shard")


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """Adds the group of options that only videos have."""
    group = parser.add_argument_group(
        "video", f"Needs pip install 'stylenet[video]'. Writes {' '.join(FORMATS)}; also .gif, .webp, .png animations."
    )
    add = group.add_argument
    add("--start", type=time, metavar="TIME", help="start of the part to stylize: seconds, or hours:minutes:seconds")
    add("--end", type=time, metavar="TIME", help="end of the part, in source time")
    add("--codec", choices=CODECS, help="default: h264 (vp9 for .webm; vp9 or prores where there is transparency)")
    crf = "constant rate factor: lower is better (h264: 0 to 51, default 18; +6 about halves the size)"
    add("--crf", type=int, metavar="NUMBER", help=crf)
    rate = f"frame rate of numbered images (frames/%%04d.png) as input; default: {RATE}"
    add("--rate", type=frame_rate, metavar="FPS", help=rate)
    steady = f"temporal smoothing in seconds; 0 disables it; default: {SMOOTHING:g}"
    add("--steady", type=time_constant, metavar="SECONDS", help=steady)
    add("--raw", metavar="WIDTHxHEIGHT", help="raw RGB frames from stdin to stdout, 3 bytes per pixel (without PyAV)")
    add("--camera", type=int, metavar="NUMBER", help="live from this camera into a window, or into -o /dev/videoN")


def is_live(options: argparse.Namespace) -> bool:
    """Whether frames come from a camera or a pipe. Raises `UserError` for an option that these do not have."""
    if options.raw is None and options.camera is None:
        return False
    kind = "raw" if options.raw is not None else "camera"
    others = [name for name in OPTIONS if name not in (kind, "steady") and getattr(options, name) is not None]
    others += [name for name in FILE_OPTIONS if getattr(options, name)]
    others += ["max_pixels"] if options.max_pixels != MAXIMUM_PIXELS else []
    if others:
        raise UserError(f"--{kind} cannot be combined with --{others[0].replace('_', '-')}")
    return True


def time(text: str) -> Fraction:
    """An argparse type: seconds, or hours:minutes:seconds."""
    try:
        return read_time(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def frame_rate(text: str) -> Fraction:
    """An argparse type: frames per second, as a number or a fraction such as 30000/1001."""
    try:
        rate = Fraction(text).limit_denominator(1_000_000)  # FFmpeg's terms have 31 bits
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not RATES[0] <= rate <= RATES[1]:
        raise argparse.ArgumentTypeError(f"must be {RATES[0]} to {RATES[1]} frames per second, got {printable(text)}")
    return rate


def time_constant(text: str) -> float:
    """An argparse type: seconds of temporal smoothing."""
    seconds = float(text)
    if not 0 <= seconds < 3600:
        raise argparse.ArgumentTypeError(f"must be 0 to 3600 seconds, got {seconds:g}")
    return seconds


def check_jobs(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Raises `UserError` for an option that applies to none of the jobs, or that a video's target does not take."""
    clips = [job for job in jobs if job.is_clip]
    given = [name for name in OPTIONS if getattr(options, name) is not None]
    if given and not clips:
        raise UserError(f"--{given[0]} is for videos ({' '.join(sorted(SUFFIXES))})")
    if options.rate is not None and not any(NumberedImages.of(os.fspath(job.source)) for job in clips):
        raise UserError("--rate is for numbered images as input, like frames/%04d.png")
    if options.skip_existing and any(job.sequence and not NumberedImages.of(os.fspath(job.source)) for job in clips):
        raise UserError("--skip-existing cannot tell how many numbered images a video becomes; leave it out")
    given = [name for name in IMAGE_OPTIONS if getattr(options, name)]
    if given and jobs and len(clips) == len(jobs):
        raise UserError(f"--{given[0]} is for images; the output's suffix chooses a video's format")
    if options.quality is not None and jobs and not any(has_quality(job) for job in jobs):
        raise UserError("--quality is for JPEG and WebP, which none of the results is")
    if clips:
        span_of(options)
        check_encoding(options, clips)


def has_quality(job: Job) -> bool:
    """Whether the result is an image, animation or sequence with a quality, or may be, as only its source knows."""
    if job.target is STANDARD_OUTPUT and job.format is None:
        return True
    format_ = WRITABLE.get(job.target.suffix.lower()) if job.is_clip else job.format
    return format_ is not None and format_.has_quality


def check_encoding(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Raises `UserError`, which names the option, for a codec or rate factor that a target does not take."""
    videos = {job.target for job in jobs if job.target.suffix.lower() in FORMATS}
    given = [name for name in ENCODING_OPTIONS if getattr(options, name) is not None]
    if given and not videos:
        raise UserError(
            f"--{given[0]} is for video files ({' '.join(FORMATS)}), not for animations and numbered images"
        )
    for target in videos:
        with prefix_errors(f"--codec: {printable(target)}"):
            codec = format_of(target).codec(options.codec)
        with prefix_errors("--crf"):
            rate_factor(codec, options.crf)


def smoothing_of(options: argparse.Namespace) -> float:
    """Seconds of temporal smoothing."""
    smoothing: float = SMOOTHING if options.steady is None else options.steady
    return smoothing


def span_of(options: argparse.Namespace) -> Span:
    """The part of each clip to stylize. Raises `UserError` for an end before the start."""
    with prefix_errors("--end"):
        return Span(options.start or Fraction(0), options.end)
