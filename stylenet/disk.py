"""Files on disk: where the shipped ones are, atomic writes, hashes, and names that are safe to print."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def shipped_files() -> Path:
    """The folder that holds `configs/` and `checkpoints/`: this package in an installed wheel, else the source tree."""
    return PACKAGE if (PACKAGE / "configs").is_dir() else PACKAGE.parent


def find_file(name: str) -> Path | None:
    """A file as typed: relative to the working directory, else among the shipped ones; None where it is in neither."""
    return next((path for path in (Path(name).expanduser(), shipped_files() / name) if path.is_file()), None)


def source_tree() -> Path | None:
    """The folder of `train.py` and `infer.py`, where the package is used from a clone; none in an installed wheel."""
    return None if shipped_files() == PACKAGE else PACKAGE.parent


def shown(name: str | os.PathLike[str]) -> str:
    """A file's name, or any untrusted text, for a message: quoted and escaped if it is not printable."""
    text = os.fspath(name)
    return text if text.isprintable() else repr(text)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yields a temporary file beside `path` that replaces it when the block succeeds and is removed when it fails.

    Readers never see a partial file, and a failure leaves the old one. Creates the folder if it is missing.
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
