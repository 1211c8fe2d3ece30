"""Photos in a zip file, read without unpacking it, as COCO and other data sets are published."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from stylenet.data.sets import DecodedPhotos, Photos
from stylenet.data.settings import PhotoSettings
from stylenet.data.sources import PhotosError, Row
from stylenet.disk import home_expanded, printable

MAXIMUM_BYTES = 100_000_000  # of a photo's file, so that no entry can expand without bounds
ENCRYPTED = 1  # of an entry's flags


def open_archive(settings: PhotoSettings, memory: int) -> Photos:
    """The photos of the zip file `settings.path`, in the order in which they lie there. Raises `PhotosError`."""
    if not settings.path:
        raise PhotosError("data=zip needs data.path=FILE, a zip file with photos")
    place = f"data.path={printable(settings.path)}"
    try:
        archive = ZipFile(home_expanded(settings.path))
    except (OSError, BadZipFile) as error:
        raise PhotosError(f"{place} is not a readable zip file") from error
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    usable = [entry for entry in entries if not fault(entry)]
    rows = ArchiveRows(archive, usable[: settings.limit])
    sources = [f"{printable(Path(settings.path).name)}: {len(rows)} files"]
    photos = DecodedPhotos(rows, settings.size, memory, place, sources)
    for entry in entries:
        if kind := fault(entry):
            photos.stats.skip(entry.filename, kind)
    return photos


def fault(entry: ZipInfo) -> str:
    """The reason why an entry cannot be read; "" if there is none."""
    if entry.flag_bits & ENCRYPTED:
        return "encrypted"
    return "too large" if entry.file_size > MAXIMUM_BYTES else ""


class ArchiveRows:
    """Entries of a zip file by their number. Threads may share it."""

    def __init__(self, archive: ZipFile, entries: list[ZipInfo]) -> None:
        self._archive, self._entries = archive, entries

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Row:
        """An entry; with no bytes where it is damaged, so that it is skipped as empty."""
        entry = self._entries[index]
        try:
            return Row(entry.filename, self._archive.read(entry))
        except Exception:  # zipfile and the decompressors raise almost anything on mutilated files
            return Row(entry.filename, b"")

    def check(self) -> None:
        """The file stays open: it cannot vanish."""
