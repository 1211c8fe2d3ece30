"""The images and clips that names of files, folders and globs mean."""

import glob
import os
from collections.abc import Iterable, Iterator
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
    """An image or clip, and its place under an output folder: a searched folder is mirrored there."""

    source: Path
    place: Path


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
