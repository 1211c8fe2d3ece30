"""What to stylise and where to put it: file names in, pairs of source and target out.

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
from stylenet.formats import WRITABLE

# Of files worth opening when a folder is searched.
SUFFIXES = frozenset(WRITABLE) | {".jfif", ".ppm", ".pgm", ".avif", ".heic", ".heif"}


@dataclass(frozen=True)
class Found:
    """A picture, and its place under an output folder: a searched folder is mirrored there."""

    source: Path
    place: Path


@dataclass(frozen=True)
class Job:
    """A picture to stylise and the file to write."""

    source: Path
    target: Path


def plan(inputs: Sequence[str], style: str, output: str | None = None) -> list[Job]:
    """The jobs for files, folders and globs, in the order given and without repetition.

    `output` is a file if it has a picture's suffix, else a folder; without it, results stand beside their
    sources. Raises `UserError` when a result would overwrite an input, another result, or leave the folder.
    """
    target = Path(output) if output is not None else None
    if target is not None and target.suffix.lower() in SUFFIXES and not target.is_dir():
        jobs = [_only(list(find(inputs)), target)]
    else:
        jobs = [Job(found.source, _target(found, style, target)) for found in find(inputs, target)]
    _check_targets(jobs)
    if target is not None and len(jobs) > 0 and jobs[0].target != target:
        _check_inside(jobs, target)
    return jobs


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
    if path.is_dir():
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


def _only(found: list[Found], target: Path) -> Job:
    if len(found) != 1:
        raise UserError(f"output {shown(target)} is a file, which holds one picture and not {len(found)}")
    if target.suffix.lower() not in WRITABLE:
        kinds = ", ".join(WRITABLE)
        raise UserError(f"output {shown(target)}: can't write this kind of file; there are {kinds}")
    return Job(found[0].source, target)


def _target(found: Found, style: str, folder: Path | None) -> Path:
    suffix = found.source.suffix if found.source.suffix.lower() in WRITABLE else ".png"
    name = f"{found.source.stem}-{style}{suffix}"
    return found.source.with_name(name) if folder is None else folder / found.place.parent / name


def _check_targets(jobs: list[Job]) -> None:
    sources = {_identity(job.source): job.source for job in jobs}
    targets: dict[str, Path] = {}
    for job in jobs:
        overwritten = sources.get(_identity(job.target))
        if overwritten is not None:
            problem = f"the result for {shown(job.source)} would overwrite the input {shown(overwritten)}"
            raise UserError(f"{problem}; choose another output with -o")
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
