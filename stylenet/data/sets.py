"""Sets of photos: decoded when they are first asked for, and kept in memory as far as it goes."""

import itertools
import threading
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from stylenet.data.decoder import GONE, UnusablePhotoError, decode_photo
from stylenet.data.sources import PhotosError, Row, Rows, one_line
from stylenet.data.tally import Tally

Pixels = UInt8[np.ndarray, "h w 3"]
PATIENCE = 1000  # rows of a stream without one usable photo


class Photos:
    """Photos that can be read in any order: uint8, RGB, `3 h w`.

    The short side has at most `size` pixels and at least 16. They are decoded when first asked for, kept till
    `memory` bytes are full, and beyond that read and decoded anew each time. In the place of a photo that
    can't be used stands the next one that can. Threads may share the set. The tensors are the kept ones, not
    to be written to.
    """

    in_order = False  # whether the first pass must go through them in order

    def __init__(self, rows: Rows, size: int, memory: int, place: str, sources: list[str]) -> None:
        self.sources, self.tally, self.place = sources, Tally(), place
        self._rows, self._size, self._room = rows, size, memory
        self._kept: dict[int, Pixels] = {}
        self._usable: dict[int, bool] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def reach(self, count: int) -> int:
        """How many photos there are: at least `count`, or all of them."""
        return len(self)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 h w"]:
        """Raises `PhotosError` when none can be used, or when the folder has vanished."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        for place in itertools.chain(range(index, len(self)), range(index)):
            if (pixels := self._pixels(place)) is not None:
                return _as_tensor(pixels)
        raise PhotosError(f"{self.place}: no usable photo ({self.tally.causes()})")

    def report(self) -> list[str]:
        """Lines for the end of the run: how many were used, and by kind what was skipped or converted."""
        return self.tally.report(waiting=len(self) - len(self._usable))

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
                self.tally.skip(row.name, problem.kind)
            return None
        if self._is_news(index, usable=True):
            self.tally.use(row.name, photo.changes)
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
    """Photos that come one after another and can't be asked for again, so all are kept.

    They are read no further than training has come, in the order of the stream: there is no shuffle buffer.
    The set ends where the stream or the memory does; from then on it is used again and again. What can't be
    used never enters it.
    """

    in_order = True

    def __init__(self, rows: Iterator[Row], size: int, memory: int, place: str, sources: list[str]) -> None:
        self.sources, self.tally, self.place = sources, Tally(), place
        self._stream, self._size, self._room = rows, size, memory
        self._photos: list[Pixels] = []
        self._end: Exception | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many have come so far."""
        return len(self._photos)

    def reach(self, count: int) -> int:
        """Reads on until there are `count` photos. Raises `PhotosError` when the stream breaks off."""
        with self._lock:
            while len(self._photos) < count and self._end is None:
                self._end = self._read()
            if isinstance(self._end, PhotosError):
                raise self._end
            return len(self._photos)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 h w"]:
        if not 0 <= index < self.reach(index + 1):
            raise IndexError(index)
        return _as_tensor(self._photos[index])

    def report(self) -> list[str]:
        return self.tally.report()

    def _read(self) -> Exception | None:
        """Takes the next row in. Returns why it was the last, if it was."""
        try:
            row = next(self._stream)
            photo = decode_photo(row.source, self._size)
        except StopIteration as end:
            return end
        except UnusablePhotoError as problem:
            self.tally.skip(row.name, problem.kind)
            barren = not self._photos and self.tally.skipped >= PATIENCE
            return StopIteration("no photo in sight") if barren else None
        except Exception as error:  # of datasets, the hub, the network, Arrow; each has its own kinds
            return PhotosError(f"{self.place}: the stream broke after {len(self):,} photos: {one_line(error)}")
        self.tally.use(row.name, photo.changes)
        self._photos.append(photo.pixels)
        self._room -= photo.pixels.nbytes
        return StopIteration("the memory is full") if self._room < photo.pixels.nbytes else None


def _as_tensor(pixels: Pixels) -> UInt8[Tensor, "3 h w"]:
    return torch.from_numpy(pixels).permute(2, 0, 1)
