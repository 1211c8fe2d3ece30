"""The photos that a run trains on, and those that it is judged by."""

import logging
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from stylenet.data.archive import open_archive
from stylenet.data.decoder import UnusablePhotoError, decode_photo
from stylenet.data.sets import DecodedPhotos, Photos, StreamedPhotos
from stylenet.data.settings import PhotoSettings
from stylenet.data.sources import (
    SAMPLE,
    FileRows,
    PhotosError,
    dataset_rows,
    folder_files,
    hub_rows,
    sample_credits,
    sample_rows,
    sample_table,
    streamed_rows,
)
from stylenet.disk import printable
from stylenet.host import usable_memory
from stylenet.media.limits import MINIMUM_SIDE

if TYPE_CHECKING:
    import datasets

__all__ = ["Photos", "PhotosError", "folder_squares", "held_out_photos", "open_photos", "unit_photos"]

UNIT_SIZE = 256  # pixels
log = logging.getLogger(__name__)


def open_photos(settings: PhotoSettings | None = None, processes: int = 1) -> Photos:
    """The photos of these settings (the built-in sample for none), checked to hold one that can be used.

    `processes` on this machine share its memory. Raises `PhotosError`.
    """
    settings = settings or PhotoSettings()
    if settings.limit is not None and settings.limit < 1:
        raise PhotosError(f"data.limit is a number of photos and must be at least 1, got {settings.limit}")
    if settings.size < MINIMUM_SIDE:
        raise PhotosError(
            f"data.size is a short side in pixels and must be at least {MINIMUM_SIDE}, got {settings.size}"
        )
    if settings.source not in SOURCES:
        raise PhotosError(f"data.source must be one of {', '.join(SOURCES)}, got {settings.source!r}")
    memory = quarter_of_memory() if settings.memory is None else settings.memory
    photos = SOURCES[settings.source](settings, memory // processes)
    if photos.reach(1) == 0:
        raise PhotosError(f"{photos.place}: no usable photo ({photos.stats.causes()})")
    photos[0]  # finds the first that can be used, or says that none can
    return photos


def _sample(settings: PhotoSettings, memory: int) -> Photos:
    if settings.path is not None:
        raise PhotosError("data.path needs data=folder, data=zip (a file) or data=hub (the name of a data set)")
    rows = sample_rows("train", settings.limit)
    return DecodedPhotos(rows, settings.size, memory, "data=sample", sample_credits("train"))


def _folder(settings: PhotoSettings, memory: int) -> Photos:
    folder, files, others = folder_files(settings.path)
    rows = FileRows(folder, files, settings.limit)
    sources = [f"{printable(folder.name)}: {len(rows)} files"]
    photos = DecodedPhotos(rows, settings.size, memory, f"data.path={printable(str(settings.path))}", sources)
    for name, kind in others:
        photos.stats.skip(name, kind)
    return photos


def _hub(settings: PhotoSettings, memory: int) -> Photos:
    dataset, credit = hub_rows(settings.path, settings.split, settings.column, settings.revision, settings.streaming)
    place = f"data.path={printable(str(settings.path))}"
    if settings.streaming:
        rows = streamed_rows(cast("datasets.IterableDataset", dataset), settings.column, settings.limit)
        return StreamedPhotos(rows, settings.size, memory, place, [credit])
    kept = dataset_rows(cast("datasets.Dataset", dataset), settings.column, settings.limit)
    return DecodedPhotos(kept, settings.size, memory, place, [credit])


# What opens each source: the settings, and the bytes that decoded photos may take. Presets are in configs/data/.
SOURCES: dict[str, Callable[[PhotoSettings, int], Photos]] = {
    "sample": _sample,
    "folder": _folder,
    "zip": open_archive,
    "hub": _hub,
}


def quarter_of_memory() -> int:
    """A quarter of this machine's memory in bytes, or of the container's where that is less."""
    memory = usable_memory()
    return int(memory / 4) if math.isfinite(memory) else 2 << 30


@cache
def held_out_photos(size: int, sample: Path = SAMPLE) -> tuple[UInt8[Tensor, "n 3 size size"], list[str]]:
    """The built-in photos that no run trains on, cut to their central squares, and their titles."""
    rows = sample_rows("held_out", path=sample)
    squares = [_square(rows[index].source, size) for index in range(len(rows))]
    return torch.stack(squares), sample_table("held_out", sample)["title"].to_pylist()


def unit_photos() -> Float[Tensor, "8 3 256 256"]:
    """Every second held-out photo in [0, 1], by which the units of the loss terms are measured."""
    return held_out_photos(UNIT_SIZE)[0][::2].float() / 255


def folder_squares(path: str, size: int) -> UInt8[Tensor, "n 3 size size"]:
    """All usable photos of a folder, cut to their central squares; others are named. Raises `PhotosError`."""
    folder, files, others = folder_files(path)
    squares = []
    for row in map(FileRows(folder, files).__getitem__, range(len(files))):
        try:
            squares.append(_square(row.source, size))
        except UnusablePhotoError as error:
            others.append((row.name, error.kind))
    for name, kind in others:
        log.warning("skipped: %s: %s", printable(name), kind)
    if not squares:
        raise PhotosError(f"no usable photo in {printable(path)}")
    return torch.stack(squares)


def _square(source: bytes | str, size: int) -> UInt8[Tensor, "3 size size"]:
    image = Image.fromarray(decode_photo(source, size).pixels)
    fitted = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)
