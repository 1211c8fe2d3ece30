"""Spill buffer: tensors in memory up to a limit, then in a temporary file."""

import os
import tempfile
from dataclasses import dataclass
from heapq import heappop, heappush
from io import FileIO
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from stylenet.disk import DiskError, printable

PAGE = 1 << 18  # bytes; a strip of megabytes wastes a few per cent of its last one
GPU_PAGE = 1 << 24  # at most, where each page costs a kernel launch


@dataclass(frozen=True)
class Slot:
    """The place of a tensor in a buffer, with its shape and type."""

    pages: list[int]
    shape: torch.Size
    dtype: torch.dtype


class SpillBuffer:
    """Holds tensors of one device until they are dropped.

    It consists of pages: the first are in one piece of at most `memory` bytes on the device, as tensors that wait would
    leave holes between those that come and go; the others are in a file, which vanishes when the buffer is closed. The
    file is read and written and not mapped, as mapped pages count as memory of the process.
    """

    def __init__(self, memory: int, device: torch.device) -> None:
        self.page = PAGE if device.type == "cpu" else max(PAGE, min(GPU_PAGE, memory // 1000))
        self.in_memory = memory // self.page
        self.device = device
        self.memory: UInt8[Tensor, "pages bytes"] | None = None
        self.file: FileIO | None = None
        self.pages = 0
        self.free: list[int] = []  # pages of dropped tensors, in a heap, as those in memory come first

    def put(self, tensor: Tensor) -> Slot:
        """Stores a tensor. Raises `DiskError` when the disk won't take it."""
        pieces = torch.split(_bytes(tensor.contiguous()), self.page)
        place = Slot([self._take_page() for _ in pieces], tensor.shape, tensor.dtype)
        for page, piece in zip(place.pages, pieces, strict=True):
            if page < self.in_memory:
                self._memory()[page, : len(piece)] = piece
            else:
                self._write(page, piece)
        return place

    def get(self, place: Slot) -> Tensor:
        """The tensor, which stays in the buffer."""
        tensor = torch.empty(place.shape, dtype=place.dtype, device=self.device)
        for page, piece in zip(place.pages, torch.split(_bytes(tensor), self.page), strict=True):
            if page < self.in_memory:
                piece.copy_(self._memory()[page, : len(piece)])
            else:
                self._read(page, piece)
        return tensor

    def drop(self, place: Slot) -> None:
        """Frees the pages of a tensor."""
        for page in place.pages:
            heappush(self.free, page)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    def _take_page(self) -> int:
        if self.free:
            return heappop(self.free)
        self.pages += 1
        return self.pages - 1

    def _memory(self) -> UInt8[Tensor, "pages bytes"]:
        """On a CPU the system gives each page when it is first written."""
        if self.memory is None:
            self.memory = torch.empty(self.in_memory, self.page, dtype=torch.uint8, device=self.device)
        return self.memory

    def _write(self, page: int, piece: UInt8[Tensor, " bytes"]) -> None:
        try:
            self._file().seek(page * self.page)
            rest = memoryview(piece.cpu().numpy().data)
            while rest:
                rest = rest[self._file().write(rest) :]
        except OSError as error:
            problem = f"cannot write features to {printable(folder())}: {error.strerror}"
            raise DiskError(f"{problem}; TMPDIR names another folder") from error

    def _read(self, page: int, piece: UInt8[Tensor, " bytes"]) -> None:
        content = torch.empty(len(piece), dtype=torch.uint8)
        self._file().seek(page * self.page)
        self._file().readinto(content.numpy().data)
        piece.copy_(content)

    def _file(self) -> FileIO:
        if self.file is None:
            self.file = tempfile.TemporaryFile(dir=folder(), buffering=0)  # noqa: SIM115, closed with the buffer
        return self.file


def folder() -> Path:
    """The folder for temporary files of gigabytes: `TMPDIR`, else `/var/tmp`, as `/tmp` is often itself in memory."""
    large = Path("/var/tmp")
    return large if large.is_dir() and "TMPDIR" not in os.environ else Path(tempfile.gettempdir())


def _bytes(tensor: Tensor) -> UInt8[Tensor, " bytes"]:
    return tensor.view(-1).view(torch.uint8)
