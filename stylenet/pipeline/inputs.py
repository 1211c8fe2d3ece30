"""The images and clips that names of files, folders and globs mean."""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.media.formats import WRITABLE
from stylenet.media.video.codecs import SUFFIXES as VIDEO_SUFFIXES

# Image files worth opening when a folder is searched.
IMAGE_SUFFIXES = frozenset(WRITABLE) | {".jfif", ".ppm", ".pgm", ".avif", ".heic", ".heif"}
SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES


@dataclass(frozen=True)
class Found:
    """An image or clip, and its place under an output folder: a searched folder is mirrored there.

    `searched`: it was found in a folder or by a glob, and not named itself.
    """

    source: Path
    place: Path
    searched: bool = True


class EmptyFolderError(UserError):
    """A folder without images and clips, which is no mistake among others, as a shell's `*` names it too."""


def unsaid(line: str) -> None:
    """For those who need no lines about what is left out."""


def find(inputs: Sequence[str], output: Path | None = None, say: Callable[[str], None] = unsaid) -> Iterator[Found]:
    """The images and clips that the inputs name, each once; searched folders and globs without what lies in `output`.

    What doesn't exist, and a folder that cannot be read, are found too: reading them will fail with a message of its
    own. Of several inputs, the output folder itself and folders without images are left out, and `say` takes a line
    for each. Raises `UserError` for an input that means nothing, and where all folders are empty.
    """
    seen: set[str] = set()
    empty: list[EmptyFolderError] = []
    for text in inputs:
        if len(inputs) > 1 and output is not None and text and _are_same(text, output):
            say(f"{printable(text)} is the output folder, and left out of the inputs")
            continue
        try:
            for found in _matches(text, output):
                key = os.path.abspath(found.source)
                if key not in seen:
                    seen.add(key)
                    yield found
        except EmptyFolderError as error:
            empty.append(error)
    if empty and not seen:
        raise empty[0]
    for problem in empty:
        say(str(problem))


def _are_same(text: str, output: Path) -> bool:
    return os.path.isdir(text) and os.path.realpath(text) == os.path.realpath(output)


def _matches(text: str, output: Path | None) -> Iterator[Found]:
    if not text:  # which Path takes for the working folder
        raise UserError("the name of an input is empty; the working folder is .")
    path = Path(text)
    if os.path.isdir(path):  # not path.is_dir(), which fails on names that are too long
        yield from _in_folder(path, path, output)
    elif os.path.lexists(path) or not glob.has_magic(text):
        yield Found(path, Path(path.name), searched=False)
    else:
        yield from _in_glob(text, output)


def _in_glob(pattern: str, output: Path | None) -> Iterator[Found]:
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
    if not matches:
        raise UserError(f"no file matches {printable(pattern)}")
    parts = Path(pattern).parts
    root = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    empty = True
    for match in _outside(matches, root, output):
        for found in _in_folder(match, root, output) if os.path.isdir(match) else _by_suffix(match, root):
            empty = False
            yield found
    if empty:
        raise UserError(f"no image or video matches {printable(pattern)} ({', '.join(sorted(SUFFIXES))})")


def _outside(matches: list[Path], root: Path, output: Path | None) -> Iterator[Path]:
    """The matches that are no results of an earlier run: not in an output folder that lies below the glob's own."""
    folder = Path(os.path.realpath(output)) if output is not None else None
    searched = folder is not None and Path(os.path.realpath(root)) in folder.parents
    for match in matches:
        place = Path(os.path.realpath(match if os.path.isdir(match) else match.parent))
        if folder is None or not searched or not place.is_relative_to(folder):
            yield match


def _by_suffix(file: Path, root: Path) -> Iterator[Found]:
    if file.suffix.lower() in SUFFIXES:
        yield Found(file, file.relative_to(root))


def _in_folder(folder: Path, root: Path, output: Path | None) -> Iterator[Found]:
    """Images and clips by their suffixes, in subfolders too; without hidden ones and links to folders."""
    left_out = os.path.realpath(output) if output is not None else None
    unreadable: list[Path] = []
    empty = True
    for place, folders, names in os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename))):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(place, name)) != left_out
        )
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            if path.suffix.lower() in SUFFIXES and _may_be_file(path):
                empty = False
                yield Found(path, path.relative_to(root))
    yield from (Found(path, path.relative_to(root)) for path in unreadable)
    if empty and not unreadable and folder == root:
        raise EmptyFolderError(f"folder {printable(folder)} has no images or videos ({', '.join(sorted(SUFFIXES))})")


def _may_be_file(path: Path) -> bool:
    """Whether it is a file; also a link to nothing, or where that cannot be known, as reading it will say why."""
    try:
        return path.is_file() or (path.is_symlink() and not path.exists())
    except OSError:
        return True
