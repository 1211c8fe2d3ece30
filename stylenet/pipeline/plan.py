"""What to stylize and where to put it: names in, pairs of source and target out.

Nothing is written here, and nothing that would lose a file gets through.
"""

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.media.formats import WRITABLE, Format, format_of

STREAM = "-"  # as an argument: a standard stream
# In a job, by identity: a file may have such a name too.
STANDARD_INPUT, STANDARD_OUTPUT = Path("standard input"), Path("standard output")
# Of files worth opening when a folder is searched.
SUFFIXES = frozenset(WRITABLE) | {".jfif", ".ppm", ".pgm", ".avif", ".heic", ".heif"}


@dataclass(frozen=True)
class Found:
    """A picture, and its place under an output folder: a searched folder is mirrored there."""

    source: Path
    place: Path


@dataclass(frozen=True)
class Job:
    """A picture to stylize and the file to write: `STANDARD_INPUT` and `STANDARD_OUTPUT` are files too.

    Without a format it's the photo's own, or PNG if that can't be written.
    """

    source: Path
    target: Path
    format: Format | None = None

    def is_done(self) -> bool:
        """Whether the result is there; results are never there by half."""
        return self.target is not STANDARD_OUTPUT and os.path.exists(self.target)


def plan(
    inputs: Sequence[str],
    style: str,
    output: str | None = None,
    suffix: str | None = None,
    skip_existing: bool = False,
) -> list[Job]:
    """The jobs for files, folders and globs, in the order given and without repetition.

    `output` is a file if it has a picture's suffix, else a folder; without it, results stand beside their
    sources. `-` is a standard stream. `suffix` is that of the format to write, else the output's or the source's.
    With `skip_existing` an earlier run's results are no inputs. Raises `UserError` when a result would overwrite
    an input, another result, or leave the folder.
    """
    if STREAM in (*inputs, output):
        return [_stream_job(inputs, output, suffix)]
    target = Path(output) if output is not None else None
    if target is not None and _names_a_picture(target):
        jobs = [Job(_only(list(find(inputs)), target), target, _form(target, suffix))]
        _check_targets(jobs)
        return jobs
    jobs = [_job(found, style, target, suffix) for found in find(inputs, target)]
    if skip_existing:
        results = {_entry(job.target) for job in jobs}
        jobs = [job for job in jobs if _entry(job.source) not in results]
    _check_targets(jobs)
    if target is not None:
        _check_inside(jobs, target)
    return jobs


def _stream_job(inputs: Sequence[str], output: str | None, suffix: str | None) -> Job:
    """One picture from standard input, or to standard output, or both."""
    if STREAM in inputs and len(inputs) > 1:
        raise UserError(f"- is one picture and comes alone, not with {len(inputs) - 1} more")
    source = STANDARD_INPUT if STREAM in inputs else _only(list(find(inputs)), STANDARD_OUTPUT)
    if output is None or output == STREAM:
        return Job(source, STANDARD_OUTPUT, WRITABLE[suffix] if suffix is not None else None)
    if not _names_a_picture(Path(output)):
        raise UserError(f"output {shown(output)} is a folder, where standard input has no name: -o FILE")
    return Job(source, Path(output), _form(Path(output), suffix))


def find(inputs: Iterable[str], output: Path | None = None) -> Iterator[Found]:
    """The pictures that the inputs name, each once; searched folders without what lies in `output`.

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
        raise UserError(f"no file matches {shown(pattern)}")
    parts = Path(pattern).parts
    root = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    for match in map(Path, matches):
        if match.is_dir():
            yield from _in_folder(match, root, output)
        elif match.suffix.lower() in SUFFIXES:
            yield Found(match, match.relative_to(root))


def _in_folder(folder: Path, root: Path, output: Path | None) -> Iterator[Found]:
    """Pictures by their names, in subfolders too; hidden ones are left alone, and links to folders."""
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
        raise UserError(f"folder {shown(folder)} has no pictures ({', '.join(sorted(SUFFIXES))})")


def _names_a_picture(output: Path) -> bool:
    return output.suffix.lower() in SUFFIXES and not os.path.isdir(output)


def _only(found: list[Found], target: Path) -> Path:
    if len(found) != 1:
        raise UserError(f"output {shown(target)} is a file, which holds one picture and not {len(found)}")
    return found[0].source


def _form(target: Path, suffix: str | None) -> Format:
    """The format of a file's name, which mustn't be another than the one that was asked for."""
    form = format_of(target)
    if suffix is not None and WRITABLE[suffix] != form:
        raise UserError(f"output {shown(target)} is {form.name} by its name, but --format asks for {suffix[1:]}")
    return form


def _job(found: Found, style: str, folder: Path | None, suffix: str | None) -> Job:
    own = found.source.suffix if found.source.suffix.lower() in WRITABLE else ".png"
    name = f"{found.source.stem}-{style}{suffix or own}"
    target = found.source.with_name(name) if folder is None else folder / found.place.parent / name
    return Job(found.source, target, format_of(target))


def _check_targets(jobs: list[Job]) -> None:
    sources = {_identity(job.source): job.source for job in jobs}
    targets: dict[str, Path] = {}
    for job in jobs:
        overwritten = sources.get(_identity(job.target))
        if overwritten is not None:
            problem = f"the result for {shown(job.source)} would overwrite the input {shown(overwritten)}"
            raise UserError(f"{problem}; choose another output with -o, or --skip-existing")
        other = targets.setdefault(_entry(job.target), job.source)
        if other != job.source:
            both = f"{shown(other)} and {shown(job.source)}"
            raise UserError(f"{both} would both become {shown(job.target)}; run them one by one with -o")


def _identity(path: Path) -> tuple[int, int] | str:
    """Equal for one file under different names: by links, by case, by way."""
    try:
        status = path.stat()
    except OSError:
        return _entry(path)
    return status.st_dev, status.st_ino


def _entry(path: Path) -> str:
    """The file's place in its folder; systems that ignore case in names have one place for two of them."""
    name = path.name.casefold() if sys.platform in ("darwin", "win32") else path.name
    return os.path.join(os.path.realpath(path.parent), name)


def _check_inside(jobs: list[Job], folder: Path) -> None:
    for job in jobs:
        if not Path(os.path.realpath(job.target.parent)).is_relative_to(os.path.realpath(folder)):
            place = f"output {shown(job.target)} would lie outside of {shown(folder)}"
            raise UserError(f"{place}: a link leads there")
