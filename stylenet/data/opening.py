"""The photos that a run trains on, and those that it is judged by."""

import contextlib
import os
from functools import cache
from pathlib import Path

import datasets
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from stylenet.data.decoder import UnusablePhotoError, decode_photo
from stylenet.data.sets import Photos, StreamedPhotos
from stylenet.data.sources import (
    SAMPLE,
    PhotosError,
    Rows,
    folder_rows,
    hub_rows,
    sample_credits,
    sample_rows,
    streamed_rows,
)
from stylenet.disk import shown
from stylenet.media.image import MINIMUM_SIDE

__all__ = ["Photos", "PhotosError", "folder_squares", "held_out_photos", "open_photos", "unit_photos"]

UNIT_SIZE = 256  # pixels


def open_photos(
    source: str = "sample",
    path: str | None = None,
    split: str = "train",
    column: str = "image",
    revision: str | None = None,
    streaming: bool = True,
    limit: int | None = None,
    size: int = 288,
    memory: int | None = None,
) -> Photos:
    """The photos that the settings under `data` ask for, checked to hold at least one that can be used.

    `memory` is in bytes, a quarter of the machine's when none is given; several processes on one machine must
    share it out. Raises `PhotosError`.
    """
    if limit is not None and limit < 1:
        raise PhotosError(f"data.limit is a number of photos and must be at least 1, got {limit}")
    if size < MINIMUM_SIDE:
        raise PhotosError(f"data.size is a short side in pixels and must be at least {MINIMUM_SIDE}, got {size}")
    memory = quarter_of_memory() if memory is None else memory
    if source == "sample" and path is not None:
        raise PhotosError("data.path needs data=folder (a folder of yours) or data=hub (a data set's name)")
    if source == "sample":
        photos = _sample(limit, size, memory)
    elif source == "folder":
        photos = _folder(path, limit, size, memory)
    elif source == "hub":
        photos = _hub(path, split, column, revision, streaming, limit, size, memory)
    else:
        raise PhotosError(f"data.source must be sample, folder or hub, got {source!r}")
    if photos.reach(1) == 0:
        raise PhotosError(f"{photos.place}: no usable photo ({photos.tally.causes()})")
    photos[0]  # finds the first that can be used, or says that none can
    return photos


def _sample(limit: int | None, size: int, memory: int) -> Photos:
    dataset = sample_rows("train")
    return Photos(Rows(dataset, "image", limit), size, memory, "data=sample", sample_credits(dataset))


def _folder(path: str | None, limit: int | None, size: int, memory: int) -> Photos:
    folder, files, others = folder_rows(path)
    rows = Rows(files, "image", limit, folder)
    sources = [f"{shown(folder.name)}: {len(rows)} files"]
    photos = Photos(rows, size, memory, f"data.path={shown(str(path))}", sources)
    for name, kind in others:
        photos.tally.skip(name, kind)
    return photos


def _hub(
    path: str | None,
    split: str,
    column: str,
    revision: str | None,
    streaming: bool,
    limit: int | None,
    size: int,
    memory: int,
) -> Photos:
    dataset, credit = hub_rows(path, split, column, revision, streaming)
    place = f"data.path={shown(str(path))}"
    if isinstance(dataset, datasets.Dataset):
        return Photos(Rows(dataset, column, limit), size, memory, place, [credit])
    return StreamedPhotos(streamed_rows(dataset, column, limit), size, memory, place, [credit])


def quarter_of_memory() -> int:
    """A quarter of this machine's memory in bytes, or of the container's where that is less."""
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits, default=8 << 30) // 4


@cache
def held_out_photos(size: int, sample: Path = SAMPLE) -> tuple[UInt8[Tensor, "n 3 size size"], list[str]]:
    """The built-in photos that no run trains on, cut to their central squares, and their titles."""
    dataset = sample_rows("held_out", sample)
    rows = Rows(dataset, "image")
    squares = [_square(rows[index].source, size) for index in range(len(rows))]
    return torch.stack(squares), list(dataset["title"])


def unit_photos() -> Float[Tensor, "8 3 256 256"]:
    """Every second held-out photo in [0, 1], by which the units of the loss terms are measured."""
    return held_out_photos(UNIT_SIZE)[0][::2].float() / 255


def folder_squares(path: str, size: int) -> UInt8[Tensor, "n 3 size size"]:
    """All usable photos of a folder, cut to their central squares. Raises `PhotosError`."""
    folder, files, _ = folder_rows(path)
    rows = Rows(files, "image", None, folder)
    squares = []
    for index in range(len(rows)):
        with contextlib.suppress(UnusablePhotoError):
            squares.append(_square(rows[index].source, size))
    if not squares:
        raise PhotosError(f"--photos: no usable photo in {shown(path)}")
    return torch.stack(squares)


def _square(source: bytes | str, size: int) -> UInt8[Tensor, "3 size size"]:
    image = Image.fromarray(decode_photo(source, size).pixels)
    fitted = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)
