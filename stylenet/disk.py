"""Files on a disk: written aside first and then renamed, told apart by hash, and named in messages of one line."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Where `configs/` and `checkpoints/` are: stylenet is installed in place.
SOURCE_TREE = Path(__file__).resolve().parent.parent


def shown(name: str | os.PathLike[str]) -> str:
    """A file's name, or any text of a stranger's, for a message: quoted and escaped if it wouldn't print."""
    text = os.fspath(name)
    return text if text.isprintable() else repr(text)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, which takes its name if the block ends well and vanishes if it doesn't.

    So no reader ever meets half a file, and a failed run leaves what was there. Makes the folder if need be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Short, whatever the length of the name itself; made by open(), so it has the user's own permissions.
    aside = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        aside.open("xb").close()
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave the new name on an empty file
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
