"""Turns the names of inputs into jobs: pairs of source and target.

Nothing is written here, and no job that is returned would lose a file.
"""

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.media.formats import WRITABLE, Format, format_of
from stylenet.media.sequence import Sequence
from stylenet.media.video.codecs import FORMATS as VIDEO_FORMATS
from stylenet.media.video.codecs import SUFFIXES as VIDEO_SUFFIXES

STREAM = "-"  # as an argument: a standard stream
# In a job, by identity: a file may have such a name too.
STANDARD_INPUT, STANDARD_OUTPUT = Path("standard input"), Path("standard output")
# Image files worth opening when a folder is searched.
IMAGE_SUFFIXES = frozenset(WRITABLE) | {".jfif", ".ppm", ".pgm", ".avif", ".heic", ".heif"}
SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES


@dataclass(frozen=True)
class Found:
    """An image or clip, and its place under an output folder: a searched folder is mirrored there."""

    source: Path
    place: Path


@dataclass(frozen=True)
class Job:
    """An image or clip to stylize and the file to write: `STANDARD_INPUT` and `STANDARD_OUTPUT` are files too.

    Without a format it is the image's own, or PNG if that cannot be written. `is_clip` says that frames go one after
    the other from or into a video file or a numbered sequence.
    """

    source: Path
    target: Path
    format: Format | None = None
    is_clip: bool = False

    def is_done(self) -> bool:
        """Whether the result is there; results are never there partially. A sequence is done with its last file."""
        if self.target is STANDARD_OUTPUT:
            return False
        source, target = (Sequence.of(os.fspath(path)) for path in (self.source, self.target))
        if target is None:
            return os.path.exists(self.target)
        return source is not None and all(target.file(number).exists() for number in source.files())


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count` of a list of jobs, from 1 on: what one task of an array job does."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Reads `3/16`. Raises `UserError` for anything but 1/N to N/N."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UserError(f"a shard is K/N, from 1/N to N/N as in 3/16, got {printable(text)}")
        return cls(int(number), int(count))

    def of(self, jobs: list[Job]) -> list[Job]:
        """Every `count`-th job: the shards are disjoint, together all jobs, and of equal size but for one."""
        return jobs[self.number - 1 :: self.count]


def plan(
    inputs: Several[str],
    style: str,
    output: str | None = None,
    suffix: str | None = None,
    skip_existing: bool = False,
) -> list[Job]:
    """The jobs for files, folders, globs and sequences, in the order given and without repetition.

    `output` is a file if it has a suffix that can be written, or is the pattern of a sequence; else a folder; without
    it, results stand beside their sources. `-` is a standard stream. `suffix` is that of the image format to write,
    else the output's or the source's. With `skip_existing` an earlier run's results are no inputs. Raises `UserError`
    when a result would overwrite an input, another result, or leave the folder, and for a suffix that isn't written.
    """
    if STREAM in (*inputs, output):
        return [_stream_job(inputs, output, suffix)]
    if output is not None and names_a_file(output):
        jobs = [_named_job(_only(list(find(inputs)), Path(output)), Path(output), suffix)]
        _check_targets(jobs)
        return jobs
    folder = Path(output) if output is not None else None
    jobs = [_job(found, style, folder, suffix) for found in find(inputs, folder)]
    if skip_existing:
        results = {_entry(job.target) for job in jobs}
        jobs = [job for job in jobs if _entry(job.source) not in results]
    _check_targets(jobs)
    if folder is not None:
        _check_inside(jobs, folder)
    return jobs


def names_a_file(output: str) -> bool:
    """Whether an output is a file, and not a folder: by its suffix, unless it is there as a folder or ends with a
    slash.

    Raises `UserError` for a suffix that cannot be written, which is more likely a mistake than a folder's name.
    """
    if output.endswith(("/", os.sep)) or os.path.isdir(output):
        return False
    suffix = Path(output).suffix.lower()
    if not suffix or suffix in WRITABLE or suffix in VIDEO_FORMATS:
        return bool(suffix)
    kinds = f"{', '.join(WRITABLE)}; of videos {', '.join(VIDEO_FORMATS)}"
    hint = f"; a folder of this name needs a slash at its end, {printable(output)}/"
    raise UserError(f"{printable(output)}: cannot write this kind of file; supported: {kinds}{hint}")


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES or Sequence.of(os.fspath(path)) is not None


def _stream_job(inputs: Several[str], output: str | None, suffix: str | None) -> Job:
    """One image from standard input, or to standard output, or both."""
    if STREAM in inputs and len(inputs) > 1:
        raise UserError("'-' (standard input) cannot be combined with other inputs")
    source = STANDARD_INPUT if STREAM in inputs else _only(list(find(inputs)), STANDARD_OUTPUT)
    if output is None or output == STREAM:
        job = Job(source, STANDARD_OUTPUT, WRITABLE[suffix] if suffix is not None else None, _is_clip(source))
    elif not names_a_file(output):
        raise UserError(f"output {printable(output)} is a folder, where standard input has no name; give a file's name")
    else:
        job = _named_job(source, Path(output), suffix)
    if job.is_clip:
        raise UserError("standard streams take a single image or animation, no video and no sequence")
    return job


def find(inputs: Iterable[str], output: Path | None = None) -> Iterator[Found]:
    """The images and clips that the inputs name, each once; searched folders without what lies in `output`.

    What doesn't exist is found too: reading it will fail with a message of its own.
    """
    seen = set()
    for text in inputs:
        for found in _matches(text, output):
            key = os.path.abspath(found.source)
            if key not in seen:
                seen.add(key)
                yield found


def _matches(text: str, output: Path | None) -> Iterator[Found]:
    path = Path(text)
    if os.path.isdir(path):  # not path.is_dir(), which fails on names that are too long
        yield from _in_folder(path, path, output)
    elif os.path.lexists(path) or not glob.has_magic(text):
        yield Found(path, Path(path.name))
    else:
        yield from _in_glob(text, output)


def _in_glob(pattern: str, output: Path | None) -> Iterator[Found]:
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        raise UserError(f"no file matches {printable(pattern)}")
    parts = Path(pattern).parts
    root = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    for match in map(Path, matches):
        if match.is_dir():
            yield from _in_folder(match, root, output)
        elif match.suffix.lower() in SUFFIXES:
            yield Found(match, match.relative_to(root))


def _in_folder(folder: Path, root: Path, output: Path | None) -> Iterator[Found]:
    """Images and clips by their suffixes, in subfolders too; without hidden ones and links to folders."""
    left_out = os.path.realpath(output) if output is not None else None
    empty = True
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(place, name)) != left_out
        )
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                empty = False
                yield Found(path, path.relative_to(root))
    if empty and folder == root:
        raise UserError(f"folder {printable(folder)} has no images or videos ({', '.join(sorted(SUFFIXES))})")


def _only(found: list[Found], target: Path) -> Path:
    if len(found) != 1:
        raise UserError(f"output {printable(target)} is one file, but there are {len(found)} inputs; give a folder")
    return found[0].source


def _named_job(source: Path, target: Path, suffix: str | None) -> Job:
    """The job with a target that the user named. Raises `UserError` for a suffix of another format than `suffix`."""
    if _is_clip(source) or _is_clip(target):
        return Job(source, target, is_clip=True)
    format_ = format_of(target)
    if suffix is not None and WRITABLE[suffix] != format_:
        raise UserError(f"output {printable(target)} is {format_.name} by its name, not {suffix[1:]}")
    return Job(source, target, format_)


def _job(found: Found, style: str, folder: Path | None, suffix: str | None) -> Job:
    """The job with a target named after its source. The result of an image `%d.png` is no sequence."""
    is_video = found.source.suffix.lower() in VIDEO_SUFFIXES
    # A video that isn't written as it came (AVI, say) becomes MKV, which holds every kind of sound.
    kinds, other = (VIDEO_FORMATS, ".mkv") if is_video else (WRITABLE, ".png")
    own = found.source.suffix if found.source.suffix.lower() in kinds else other
    name = f"{found.source.stem}-{style}{(not is_video and suffix) or own}"
    target = found.source.with_name(name) if folder is None else folder / found.place.parent / name
    return Job(found.source, target, None if is_video else format_of(target), _is_clip(found.source))


def _check_targets(jobs: list[Job]) -> None:
    sources = {_identity(job.source): job.source for job in jobs}
    targets: dict[str, Path] = {}
    for job in jobs:
        overwritten = sources.get(_identity(job.target))
        if overwritten is not None:
            problem = f"the result for {printable(job.source)} would overwrite the input {printable(overwritten)}"
            raise UserError(f"{problem}; choose another output")
        other = targets.setdefault(_entry(job.target), job.source)
        if other != job.source:
            both = f"{printable(other)} and {printable(job.source)}"
            raise UserError(f"{both} would both become {printable(job.target)}; run them one by one")


def _identity(path: Path) -> tuple[int, int] | str:
    """Equal for one file under different names: links, upper and lower case, other paths."""
    try:
        status = path.stat()
    except OSError:
        return _entry(path)
    return status.st_dev, status.st_ino


def _entry(path: Path) -> str:
    """The file's place in its folder, the same for names that differ in case where the system ignores it."""
    name = path.name.casefold() if sys.platform in ("darwin", "win32") else path.name
    return os.path.join(os.path.realpath(path.parent), name)


def _check_inside(jobs: list[Job], folder: Path) -> None:
    for job in jobs:
        if not Path(os.path.realpath(job.target.parent)).is_relative_to(os.path.realpath(folder)):
            place = f"output {printable(job.target)} would lie outside of {printable(folder)}"
            raise UserError(f"{place}: a link leads there")
