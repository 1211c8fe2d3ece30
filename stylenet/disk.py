"""Files on disk: where the shipped ones are, atomic writes, hashes, and names that are safe to print; the cache."""

import errno
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stylenet.errors import UserError

PACKAGE = Path(__file__).resolve().parent
LONGEST_NAME = 255  # bytes of a file's name, on all usual file systems
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class DiskError(UserError):
    """The disk is full or cannot be written, whatever the input: a service's client cannot help it."""


def is_disk_error(error: Exception) -> bool:
    """Whether an error is the disk's, where no file can be finished."""
    return isinstance(error, DiskError) or (isinstance(error, OSError) and error.errno in DISK_ERRORS)


class OverwriteError(UserError):
    """A result would take the place of an input. `cli` adds which option names another place."""


def shipped_files() -> Path:
    """The folder that holds `configs/` and `checkpoints/`: this package in an installed wheel, else the source tree."""
    return PACKAGE if (PACKAGE / "configs").is_dir() else PACKAGE.parent


def find_file(name: str) -> Path | None:
    """A file as typed: relative to the working directory, else among the shipped ones; None where it is in neither."""
    return next((path for path in (home_expanded(name), shipped_files() / name) if path.is_file()), None)


def find_painting(image: str, setting: str = "style.image") -> Path:
    """The file of a painting as typed; see `find_file`.

    Raises `UserError`, which names the `setting` or option where the file was given.
    """
    if path := find_file(image):
        return path
    raise UserError(f"{setting} must be an image file, but there is none at {printable(image)}")


def home_expanded(name: str | os.PathLike[str]) -> Path:
    """A path as a shell takes it: `~` is the home folder. As typed where that exists, or there is no such user."""
    return Path(name if os.path.exists(name) else os.path.expanduser(name))


def shipped_paintings() -> dict[str, Path]:
    """The paintings of `configs/style/` by name: the image beside each YAML."""
    folder = shipped_files() / "configs" / "style"
    images = sorted(path for path in folder.iterdir() if path.suffix != ".yaml")
    return {path.stem: path for path in images if path.with_suffix(".yaml").is_file()}


def shipped_painting_of(sha256: str | None) -> Path | None:
    """The shipped painting with this hash: names say nothing of other people's files."""
    return next((path for path in shipped_paintings().values() if file_sha256(path) == sha256), None)


def source_tree() -> Path | None:
    """The folder of `train.py` and `infer.py`, where the package is used from a clone; none in an installed wheel."""
    return None if shipped_files() == PACKAGE else PACKAGE.parent


def printable(name: str | os.PathLike[str]) -> str:
    """A file's name, or any untrusted text, for a message: quoted and escaped if it is not printable."""
    text = os.fspath(name)
    return text if text.isprintable() else repr(text)


def plain_name(file: str) -> str:
    """A file's name without its suffix, with every character that a shell might interpret replaced by a dash."""
    name = re.sub(r"[^\w.]+", "-", Path(file).stem).strip("-.")
    return name or "style"


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_writable(file: Path, *inputs: Path) -> None:
    """Makes sure, before any work is done, that a result can be written to `file`. Creates its folder if it is missing.

    Raises `UserError` for a folder or a place that cannot be written, `OverwriteError` for one of the `inputs`.
    """
    if file.is_dir():
        raise UserError(f"{printable(file)} is a folder; name a file in it")
    for source in inputs:
        if file.resolve() == source.resolve() or (file.exists() and source.exists() and file.samefile(source)):
            raise OverwriteError(f"the result would overwrite {printable(source)}")
    check_folder(file.parent, file)


def check_folder(folder: Path, file: Path | None = None) -> None:
    """Creates the folder if it is missing. Raises `UserError`, which names `file`, where nothing can be written in."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write {printable(file or folder)}: {error.strerror}") from error


def check_place(file: Path) -> None:
    """Makes sure, before any work is done, that a file of this name can be made; writes nothing.

    Raises `UserError` for a folder that cannot be written, a name that is too long, and the name of a folder.
    """
    there = next((place for place in file.parents if os.path.lexists(place)), Path())
    try:
        for name in file.relative_to(there).parts:  # each of them, as the first one that is missing hides the next
            with suppress(FileNotFoundError):
                os.lstat(there / name)
        if os.path.isdir(file) or not os.access(there, os.W_OK | os.X_OK):
            number = errno.EISDIR if os.path.isdir(file) else errno.EACCES
            raise OSError(number, os.strerror(number))
    except OSError as error:
        raise UserError(f"cannot write {printable(file)}: {error.strerror}") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary file beside `path` that replaces it when the block succeeds and is removed when it fails.

    Readers never see a partial file, and a failure leaves the old one. Creates the folder if it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Short, whatever the length of the name itself; made by open(), so it has the user's own permissions.
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        temporary.open("xb").close()
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave the new name on an empty file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def cache_folder() -> Path:
    """`$STYLENET_CACHE`, else `$XDG_CACHE_HOME/stylenet`, else `~/.cache/stylenet`.

    Raises `OSError` where there is no home folder.
    """
    if own := os.environ.get("STYLENET_CACHE"):
        return home_expanded(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stylenet"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Holds a lock, so that concurrent processes create `path` only once. Makes its folder; raises `OSError`."""
    from filelock import FileLock  # not needed otherwise

    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # A file system without locks (some clusters have one): each process then makes its own.
        with suppress(NotImplementedError):
            stack.enter_context(FileLock(path.with_name(path.name + ".lock")))
        yield


@contextmanager
def file_lock(file: Path, taken: str) -> Iterator[bool]:
    """Holds the lock of a file; it ends with the process, however that ends. False where there are no locks.

    Raises `UserError`, with the line `taken`, where another process holds it, and `OSError`.
    """
    from filelock import FileLock, Timeout  # not needed otherwise

    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(file, timeout=0))
        except Timeout as error:
            raise UserError(taken) from error
        except NotImplementedError:  # a file system without locks: some clusters have one
            yield False
            return
        yield True


def refusal(error: OSError, place: str | Path = "the disk") -> str:
    """What the system refuses, in one line. `place` is named where the error names no file."""
    return f"{printable(str(error.filename or place))} cannot be used: {error.strerror}"
