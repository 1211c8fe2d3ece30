"""Sets of photos: decoded when they are first asked for, and kept in memory as far as it goes."""

import hashlib
import itertools
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from stylenet.data.decoder import GONE, DecodedPhoto, UnusablePhotoError, decode_photo
from stylenet.data.photo_stats import PhotoStats
from stylenet.data.sources import PhotosError, Row, Rows, one_line
from stylenet.host import usable_cores
from stylenet.media.limits import MINIMUM_SIDE

Pixels = UInt8[np.ndarray, "h w 3"]
PATIENCE = 1000  # rows of a stream without one usable photo
DECODERS = min(8, max(2, usable_cores()))  # threads of a stream
AHEAD = 2 * DECODERS  # rows of a stream that are decoded before they are asked for


class Photos(ABC):
    """Photos to cut crops from: uint8, RGB, `3 h w`. Threads may share a set.

    The tensors are the kept ones, not to be written to. `sources` name where the photos come from, for the style file;
    `place` names the set in an error.
    """

    in_order = False  # whether the first pass must go through them in order
    sources: list[str]
    stats: PhotoStats
    place: str

    @abstractmethod
    def __len__(self) -> int:
        """Number of photos, as far as that is known."""

    @abstractmethod
    def __getitem__(self, index: int) -> UInt8[Tensor, "3 h w"]:
        """Raises `IndexError`, and `PhotosError` when no photo can be used."""

    def reach(self, count: int) -> int:
        """Number of photos that are there: at least `count`, or all of them."""
        return len(self)

    def report(self) -> list[str]:
        """Lines for the end of the run: how many were used, and by kind what was skipped or converted."""
        return self.stats.report()


class ArrayPhotos(Photos):
    """Photos that are in memory already: uint8 arrays or tensors of `h w 3`, of any sizes from 16 px on.

    Raises `PhotosError` for anything else.
    """

    def __init__(self, arrays: Iterable[np.ndarray | Tensor]) -> None:
        self._photos = [as_pixels(array) for array in arrays]
        if not self._photos:
            raise PhotosError("no photos were given")
        digest = hashlib.sha256()
        for photo in self._photos:
            digest.update(photo.tobytes())
        self.place, self.stats = "the photos that were given", PhotoStats()
        self.sources = [f"{len(self._photos)} arrays, sha256 {digest.hexdigest()[:12]}"]

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return _as_tensor(self._photos[index])

    def report(self) -> list[str]:
        return [f"photos: {len(self):,} given"]


def as_pixels(array: np.ndarray | Tensor) -> Pixels:
    """One photo as training keeps it. Raises `PhotosError` for another type or shape."""
    pixels = array.cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < MINIMUM_SIDE:
        wanted = f"uint8 arrays of height x width x 3, at least {MINIMUM_SIDE} px a side"
        raise PhotosError(f"photos must be {wanted}, got {pixels.dtype} of {' x '.join(map(str, pixels.shape))}")
    return np.ascontiguousarray(pixels)


class DecodedPhotos(Photos):
    """Photos that can be read in any order.

    The short side has at most `size` pixels and at least 16. They are decoded when first asked for, cached up to
    `memory` bytes, and beyond that read and decoded again each time. Unusable photos are replaced by the next usable
    one.
    """

    def __init__(self, rows: Rows, size: int, memory: int, place: str, sources: list[str]) -> None:
        self.sources, self.stats, self.place = sources, PhotoStats(), place
        self._rows, self._size, self._room = rows, size, memory
        self._kept: dict[int, Pixels] = {}
        self._usable: dict[int, bool] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 h w"]:
        """Raises `PhotosError` when none can be used, or when the folder has vanished."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        for place in itertools.chain(range(index, len(self)), range(index)):
            if (pixels := self._pixels(place)) is not None:
                return _as_tensor(pixels)
        raise PhotosError(f"{self.place}: no usable photo ({self.stats.causes()})")

    def report(self) -> list[str]:
        return self.stats.report(waiting=len(self) - len(self._usable))

    def _pixels(self, index: int) -> Pixels | None:
        if index in self._kept or self._usable.get(index) is False:
            return self._kept.get(index)
        row = self._rows[index]
        try:
            photo = decode_photo(row.source, self._size)
        except UnusablePhotoError as problem:
            if problem.kind == GONE:
                self._rows.check()
            if self._is_news(index, usable=False):
                self.stats.skip(row.name, problem.kind)
            return None
        if self._is_news(index, usable=True):
            self.stats.use(row.name, photo.changes)
        self._keep(index, photo.pixels)
        return photo.pixels

    def _is_news(self, index: int, usable: bool) -> bool:
        with self._lock:
            known = self._usable.get(index)
            self._usable[index] = usable
        return known is not usable

    def _keep(self, index: int, pixels: Pixels) -> None:
        with self._lock:
            if index not in self._kept and pixels.nbytes <= self._room:
                self._room -= pixels.nbytes
                self._kept[index] = pixels


class StreamedPhotos(Photos):
    """Photos that come one after another and cannot be asked for again, so all are kept.

    They are read in the order of the stream, as far as training has come and `AHEAD` further, which are decoded
    meanwhile: there is no shuffle buffer. The set ends where the stream or the memory does; from then on it is used
    again and again. What cannot be used never enters it.
    """

    in_order = True

    def __init__(self, rows: Iterator[Row], size: int, memory: int, place: str, sources: list[str]) -> None:
        self.sources, self.stats, self.place = sources, PhotoStats(), place
        self._stream, self._size, self._room = rows, size, memory
        self._photos: list[Pixels] = []
        self._coming: deque[tuple[Row, Future[DecodedPhoto]]] = deque()
        self._broken: Exception | None = None  # what ended the stream, behind the rows that are still coming
        self._end: Exception | None = None
        self._lock = threading.Lock()
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decoders")

    def __len__(self) -> int:
        """Number of photos that have come so far."""
        return len(self._photos)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 h w"]:
        if not 0 <= index < self.reach(index + 1):
            raise IndexError(index)
        return _as_tensor(self._photos[index])

    def reach(self, count: int) -> int:
        """Reads on until there are `count` photos. Raises `PhotosError` when the stream breaks off."""
        if count <= len(self._photos):
            return len(self._photos)
        with self._lock:
            while len(self._photos) < count and self._end is None:
                self._fetch()
                self._end = self._take()
            if isinstance(self._end, PhotosError):
                raise self._end
            return len(self._photos)

    def report(self) -> list[str]:
        lines = self.stats.report()
        if isinstance(self._end, MemoryError):
            lines.append(f"  the set ends after {len(self):,} photos: the memory for them is full (data.memory)")
        return lines

    def _fetch(self) -> None:
        """Has further rows decoded, a few more than have come so far."""
        while self._broken is None and len(self._coming) < min(AHEAD, 1 + len(self._photos)):
            try:
                row = next(self._stream)
            except Exception as error:  # of datasets, the hub, the network, Arrow; each has its own kinds
                self._broken = error
            else:
                self._coming.append((row, self._decoders.submit(decode_photo, row.source, self._size)))

    def _take(self) -> Exception | None:
        """Takes the next row in. Returns why it was the last, if it was."""
        if not self._coming:
            if self._broken is None or isinstance(self._broken, StopIteration):
                return self._broken
            reason = one_line(self._broken)
            return PhotosError(f"{self.place}: the stream broke after {len(self):,} photos: {reason}")
        row, decoded = self._coming.popleft()
        try:
            photo = decoded.result()
        except UnusablePhotoError as problem:
            self.stats.skip(row.name, problem.kind)
            barren = not self._photos and self.stats.skipped >= PATIENCE
            return StopIteration("no photo in sight") if barren else None
        self.stats.use(row.name, photo.changes)
        self._photos.append(photo.pixels)
        self._room -= photo.pixels.nbytes
        return MemoryError() if self._room < photo.pixels.nbytes else None


def _as_tensor(pixels: Pixels) -> UInt8[Tensor, "3 h w"]:
    return torch.from_numpy(pixels).permute(2, 0, 1)
