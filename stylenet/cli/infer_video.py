"""The part of `infer.py` that is about video: its options, and what is done with them."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.inference.temporal import MEMORY, Stylizt
from stylenet.media.video.codecs import CODECS, FORMATS, SUFFIXES, Encoding
from stylenet.media.video.timing import Span, read_time

Say = Callable[[str], None]  # tells the user a line

PICTURE_OPTIONS = ("size", "max_size", "format", "quality", "skip_existing")
OPTIONS = ("start", "end", "codec", "crf", "steady", "raw", "camera")


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """The group of options that only videos have."""
    group = parser.add_argument_group(
        "video", f"python infer.py clip.mp4 -s starry; needs pip install -e '.[video]'; writes {' '.join(FORMATS)}"
    )
    add = group.add_argument
    add("--start", metavar="TIME", help="begin here: seconds, or hours:minutes:seconds")
    add("--end", metavar="TIME", help="end here, as counted in the whole clip")
    add("--codec", choices=CODECS, help="default: h264, of .webm vp9")
    add("--crf", type=int, metavar="NUMBER", help="0 is the best, 18 the default of h264; 6 more halve the file")
    steady = f"memory of the contrast and, where nothing moves, of the strokes; default: {MEMORY:g}; 0: none"
    add("--steady", type=float, metavar="SECONDS", help=steady)
    add("--raw", metavar="WIDTHxHEIGHT", help="RGB frames, 3 bytes a pixel, from stdin to stdout (without PyAV)")
    add("--camera", type=int, metavar="NUMBER", help="live into a window, or into -o /dev/videoN")


def wants_video(options: argparse.Namespace) -> bool:
    """Whether these options are about video. Raises `UserError` when only some of them are."""
    if options.raw is not None or options.camera is not None:
        without(options, PICTURE_OPTIONS)
        return True
    videos = [text for text in options.inputs if Path(text).suffix.lower() in SUFFIXES and not Path(text).is_dir()]
    given = [name for name in OPTIONS if getattr(options, name) is not None]
    if given and not videos:
        raise UserError(f"--{given[0]} is for videos ({' '.join(sorted(SUFFIXES))})")
    if videos and len(videos) < len(options.inputs):
        raise UserError(f"{shown(videos[0])} is a video and others are not; stylize them by a call of their own")
    if videos:
        without(options, PICTURE_OPTIONS)
    return bool(videos)


def without(options: argparse.Namespace, names: Sequence[str]) -> None:
    """Raises `UserError` for an option that says nothing about videos."""
    given = [name for name in names if getattr(options, name)]
    if given:
        raise UserError(f"--{given[0].replace('_', '-')} is for pictures")


def stylize_video(options: argparse.Namespace, stylizt: Stylizt, style: str, say: Say) -> int:
    """Does what `wants_video` found to be wanted; the exit code."""
    memory = MEMORY if options.steady is None else options.steady
    if not 0 <= memory < 3600:
        raise UserError(f"--steady is a time of 0 to 3600 seconds, got {memory:g}")
    if options.raw is not None:
        return pipe(options, stylizt, memory, say)
    if options.camera is not None:
        return live(options, stylizt, memory, say)
    return files(options, stylizt, style, memory, say)


def pipe(options: argparse.Namespace, stylizt: Stylizt, memory: float, say: Say) -> int:
    alone(options, "raw")
    if options.inputs not in ([], ["-"]) or options.output not in (None, "-"):
        raise UserError("--raw takes its frames from stdin and gives them to stdout")
    from stylenet.pipeline.raw_frames import end_as_filters_do, read_size, stylize_raw

    size = read_size(options.raw)
    if sys.stdin.isatty() or sys.stdout.isatty():
        raise UserError("--raw takes its frames from a pipe or file and gives them to one, and not a terminal")
    end_as_filters_do()
    say(str(stylize_raw(stylizt, size, memory, sys.stdin.buffer, sys.stdout.buffer)))
    return 0


def live(options: argparse.Namespace, stylizt: Stylizt, memory: float, say: Say) -> int:
    alone(options, "camera")
    if options.inputs:
        raise UserError(f"--camera takes no inputs, got {shown(options.inputs[0])}")
    with pyav():
        from stylenet.pipeline.camera import stylize_camera
    say(str(stylize_camera(stylizt, options.camera, memory, options.output)))
    return 0


def alone(options: argparse.Namespace, kind: str) -> None:
    """Raises `UserError` for an option that only files have."""
    others = [name for name in OPTIONS if name not in (kind, "steady") and getattr(options, name) is not None]
    if others:
        raise UserError(f"--{kind} doesn't go with --{others[0]}")


def files(options: argparse.Namespace, stylizt: Stylizt, style: str, memory: float, say: Say) -> int:
    """Each clip by itself: one that fails does not keep the next."""
    start, end = time(options, "start"), time(options, "end")
    span = Span(start or Fraction(0), end)
    with pyav():
        from stylenet.pipeline.clip import Job, Stopped, stylize_clip
    code = 0
    for source, target in planned([Path(text) for text in options.inputs], style, options.output):
        try:
            job = Job(source, target, Encoding.of(target, options.codec, options.crf), span, memory)
            print(stylize_clip(stylizt, job, say), flush=True)
        except Stopped as stop:
            say(str(stop))
            return stop.code
        except (UserError, OSError) as error:
            say(str(error) if isinstance(error, UserError) else f"{shown(target)}: {error.strerror}")
            code = 1
    return code


def time(options: argparse.Namespace, name: str) -> Fraction | None:
    """An option's time in seconds. Raises `UserError`, which names the option."""
    text = getattr(options, name)
    try:
        return None if text is None else read_time(text)
    except UserError as error:
        raise UserError(f"--{name}: {error}") from error


@contextmanager
def pyav() -> Iterator[None]:
    """Around an import that needs PyAV. Raises `UserError` without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "av":
            raise
        raise UserError("video needs PyAV: pip install -e '.[video]'") from None


def planned(sources: list[Path], style: str, output: str | None) -> list[tuple[Path, Path]]:
    """Each clip with its target: `output` itself if it has a video's suffix, else a name in that folder.

    What is not written as it came (AVI, say) becomes MKV, which holds every sound. Raises `UserError` when a result
    would overwrite a clip or another result.
    """
    folder = Path(output) if output is not None else None
    if folder is not None and folder.suffix.lower() in SUFFIXES and not folder.is_dir():
        if len(sources) > 1:
            raise UserError(f"output {shown(folder)} is a file, which holds one video and not {len(sources)}")
        targets = [folder]
    else:
        targets = [(folder or source.parent) / named(source, style) for source in sources]
    for source, target in zip(sources, targets, strict=True):
        if any(same(target, other) for other in sources):
            raise UserError(f"the result for {shown(source)} would overwrite the input {shown(target)}; choose with -o")
        if targets.count(target) > 1:
            raise UserError(f"two clips would both become {shown(target)}; run them one by one with -o")
    return list(zip(sources, targets, strict=True))


def named(source: Path, style: str) -> str:
    return f"{source.stem}-{style}{source.suffix if source.suffix.lower() in FORMATS else '.mkv'}"


def same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
