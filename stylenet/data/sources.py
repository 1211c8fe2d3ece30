"""Sources of photos: the built-in sample, a folder, the Hugging Face hub."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from stylenet.disk import home_expanded, printable
from stylenet.errors import UserError

if TYPE_CHECKING:
    import datasets
    import pyarrow

SAMPLE = Path(__file__).with_name("sample.parquet")
WAYS_OUT = (
    "data=sample and data=folder data.path=DIR need no network; "
    "HF_HUB_OFFLINE=1 with data.streaming=false uses what an earlier run downloaded"
)
TIMEOUT = 10  # seconds
TRIES = 3


class PhotosError(UserError):
    """Photos that cannot be had or used; the message names the setting in one line."""


class Row(NamedTuple):
    """A photo as it lies in its source: a name for people, and its bytes or the path of its file."""

    name: str
    source: bytes | str


@runtime_checkable
class Rows(Protocol):
    """Photos of a source by their number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Row: ...

    def check(self) -> None:
        """Raises `PhotosError` where the whole source has vanished, which is no fault of a single photo."""


class CellRows:
    """The first `limit` cells of an image column, `{"bytes": …, "path": …}` each, as Arrow and `datasets` have it.

    Their paths are not followed: someone else's data set could name any file.
    """

    def __init__(self, cell: Callable[[int], Mapping[str, Any] | None], length: int, limit: int | None) -> None:
        self._cell, self._length = cell, min(length, limit or length)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Row:
        return _row(self._cell(index), index)

    def check(self) -> None:
        """Nothing can vanish here."""


class FileRows:
    """The first `limit` files of a folder, by their paths."""

    def __init__(self, folder: Path, files: Sequence[str], limit: int | None = None) -> None:
        self._folder, self._files = folder, files[:limit]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Row:
        path = self._files[index]
        return Row(os.path.relpath(path, self._folder), path)

    def check(self) -> None:
        if not self._folder.is_dir():
            raise PhotosError(f"data.path={printable(self._folder)} has vanished; resume the run when it is back")


def _row(cell: Mapping[str, Any] | None, index: int) -> Row:
    name, data = (cell or {}).get("path"), (cell or {}).get("bytes")
    return Row(str(name or f"row {index}"), data or b"")


@cache
def sample_table(split: str, path: Path = SAMPLE) -> "pyarrow.Table":
    """A split of the built-in sample, in memory, by Arrow alone."""
    from pyarrow import parquet

    return parquet.read_table(path, filters=[("split", "==", split)]).combine_chunks()


def sample_rows(split: str, limit: int | None = None, path: Path = SAMPLE) -> CellRows:
    """The photos of a split of the built-in sample."""
    column = sample_table(split, path)["image"]
    return CellRows(lambda index: column[index].as_py(), len(column), limit)


def sample_credits(split: str, path: Path = SAMPLE) -> list[str]:
    """The packages that the sample's photos come from, with their licenses."""
    table = sample_table(split, path)
    pairs = zip(table["source"].to_pylist(), table["licence"].to_pylist(), strict=True)
    return sorted({f"{source.split(',')[0]} ({terms})" for source, terms in pairs})


def folder_files(path: str | None) -> tuple[Path, list[str], list[tuple[str, str]]]:
    """A folder, the paths of its files (sorted, all levels), and what is no file: its name and kind.

    Names do not matter: the decoder finds out what is an image. Hidden files are left out, links to
    folders are not followed. Raises `PhotosError`.
    """
    if not path:
        raise PhotosError("data=folder needs data.path=DIR, the folder with the photos")
    folder = home_expanded(path).absolute()
    if not folder.is_dir():
        raise PhotosError(f"data.path={printable(path)} is not a folder")
    listed = sorted(_walk(folder))
    files = [name for name, kind in listed if not kind]
    others = [(os.path.relpath(name, folder), kind) for name, kind in listed if kind]
    return folder, files, others


def _walk(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file's path, and what keeps it from being used ("" if nothing does)."""
    closed: list[OSError] = []
    for place, below, names in os.walk(folder, onerror=closed.append):
        below[:] = [name for name in below if not name.startswith(".")]
        for path in (os.path.join(place, name) for name in names if not name.startswith(".")):
            yield path, _fault(path)
    yield from ((str(error.filename), "folder without permission") for error in closed)


def _fault(path: str) -> str:
    try:
        path.encode()
        return "" if stat.S_ISREG(os.stat(path).st_mode) else "not a file"
    except UnicodeEncodeError:
        return "name not in UTF-8"  # no report or card could hold it
    except OSError:
        return "not a file"  # a link to nowhere


def hub_rows(
    path: str | None, split: str, column: str, revision: str | None, streaming: bool
) -> "tuple[datasets.Dataset | datasets.IterableDataset, str]":
    """A data set of the hub, or of a folder laid out like one of the hub's, and a line that names it.

    Raises `PhotosError`; without a network after 10 seconds at most, as one question is asked first (left to
    itself `datasets` asks six times: 23 seconds where no name resolves, more behind a silent firewall).
    """
    if path is None:
        raise PhotosError("data.source=hub needs data.path, the name of a data set such as detection-datasets/coco")
    datasets = _datasets()
    path = str(home_expanded(path)) if home_expanded(path).is_dir() else path
    commit = revision if Path(path).is_dir() or datasets.config.HF_HUB_OFFLINE else _commit(path, revision)
    # There is no argument for these: of 20 tries each, a dead connection (and Ctrl-C) would wait for minutes.
    datasets.config.STREAMING_READ_MAX_RETRIES = datasets.config.STREAMING_OPEN_MAX_RETRIES = TRIES
    try:
        dataset = datasets.load_dataset(path, split=split, revision=commit, streaming=streaming)
        columns: Mapping[str, Any] = dataset.features or next(iter(dataset), {})  # types, or cells
    except Exception as error:  # of datasets, the hub, the network, Arrow and the disk; each has its own kinds
        ways = f"; {WAYS_OUT}" if isinstance(error, ConnectionError) else ""
        raise PhotosError(f"data.path={printable(path)} data.split={split}: {one_line(error)}{ways}") from error
    if column not in columns:
        raise PhotosError(f"data.column={column}: {printable(path)} has no such column; it has {', '.join(columns)}")
    if not holds_images(columns[column]):
        raise PhotosError(f"data.column={column} holds no images")
    return dataset, f"{name_of(path)}, split {split}" + (f", commit {commit}" if commit else "")


def holds_images(found: Any) -> bool:
    """Whether a column can have images, by its type or one of its cells: pictures, or bytes of such."""
    if isinstance(found, Mapping):
        return "bytes" in found
    picture = found is None or isinstance(found, bytes) or hasattr(found, "convert")
    return picture or getattr(found, "dtype", "") in ("PIL.Image.Image", "binary", "large_binary")


def name_of(path: str) -> str:
    """The name of a data set for people: a folder's own, however its path is typed, so that a resumed run knows it."""
    return printable(Path(path).absolute().name if Path(path).is_dir() else path)


def _datasets() -> Any:
    """The package, which only the hub needs: its import takes a second. Raises `PhotosError` where it is missing."""
    try:
        import datasets
    except ImportError as error:
        raise PhotosError("photos of the hub need the package datasets: pip install datasets") from error
    return datasets


def _commit(path: str, revision: str | None) -> str | None:
    """The commit that the hub has now: all of the run then reads that one."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return HfApi().dataset_info(path, revision=revision, timeout=TIMEOUT).sha
    except RevisionNotFoundError as error:
        raise PhotosError(f"data.revision={revision}: {path} has no such revision on the hub") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise PhotosError(
            f"data.path={printable(path)}: the hub has no data set of this name that is open to you"
        ) from error
    except Exception as error:  # the hub's HTTP library changes from version to version, its errors with it
        reason = f"the Hugging Face hub cannot be reached ({one_line(error)[:80]})"
        raise PhotosError(f"data.path={path}: {reason}; {WAYS_OUT}") from error


def dataset_rows(dataset: "datasets.Dataset", column: str, limit: int | None) -> CellRows:
    """The first `limit` rows of a data set of the hub that is on the disk."""
    cells = dataset.select_columns([column]).cast_column(column, _datasets().Image(decode=False))
    return CellRows(lambda index: cells[index][column], len(dataset), limit)


def streamed_rows(dataset: "datasets.IterableDataset", column: str, limit: int | None) -> Iterator[Row]:
    """The first `limit` rows, one after another. Propagates errors of the network and the data set."""
    cells = dataset.select_columns([column]).cast_column(column, _datasets().Image(decode=False))
    for index, cell in enumerate(cells if limit is None else cells.take(limit)):
        yield _row(cell[column], index)


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
