"""Random crops of photos to train on, and held-out photos to validate on, as a `LightningDataModule`."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader

from stylenet.data.crops import RandomCrops
from stylenet.data.opening import held_out_photos, open_photos
from stylenet.data.sets import ArrayPhotos, Photos
from stylenet.data.settings import PhotoSettings
from stylenet.data.sources import PhotosError

PhotosLike = Photos | PhotoSettings | str | os.PathLike[str] | Iterable[np.ndarray | Tensor]
HELD_OUT_SIZE = 256  # pixels, square


class PhotoCrops(pl.LightningDataModule):
    """Batches of random crops without end: uint8, `batch 3 crop crop`, RGB.

    `photos` are a folder, uint8 arrays of `h w 3`, settings, or an opened set; the built-in sample if none are given.
    `batch` is shared by all devices. Batch `k` depends on the photos, the seed and `k` alone: a resumed run continues
    with the batch that would have come next. `held_out` (uint8, `n 3 h w`) are validated on, by default the 16 built-in
    photos that no run trains on. Raises `UserError` for photos that cannot be used.
    """

    def __init__(
        self,
        photos: PhotosLike | None = None,
        crop: int = 256,
        batch: int = 4,
        seed: int = 0,
        held_out: UInt8[Tensor, "n 3 h w"] | None = None,
    ) -> None:
        super().__init__()
        self.photos = as_photos(PhotoSettings() if photos is None else photos, crop)
        self.crop, self.batch, self.seed = crop, batch, seed
        self.held_out = held_out_photos(HELD_OUT_SIZE)[0] if held_out is None else held_out
        self._crops: RandomCrops | None = None

    def crops(self, first_batch: int = 0) -> RandomCrops:
        """The batches from number `first_batch` on; those of this process where several share the batch."""
        return RandomCrops(self.photos, self.crop, self.batch, self.seed, first_batch)

    def train_dataloader(self) -> DataLoader[Tensor]:
        trainer = self.trainer
        first = trainer.global_step * trainer.accumulate_grad_batches if trainer else 0
        self._crops = self.crops(first)
        on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda"
        return DataLoader(self._crops, batch_size=None, pin_memory=on_gpu)  # from there a copy is not waited for

    def val_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(list(self.held_out), batch_size=1)  # type: ignore[arg-type]

    @property
    def waited(self) -> float:
        """Seconds in which a batch was asked for and not there."""
        return self._crops.waited if self._crops else 0.0


def as_photos(photos: PhotosLike, crop: int, processes: int = 1) -> Photos:
    """A set of photos from any description of one, large enough for the crop. Raises `UserError`."""
    if isinstance(photos, Photos):
        return photos
    if isinstance(photos, str | os.PathLike):
        photos = PhotoSettings("folder", str(Path(photos)))
    if isinstance(photos, PhotoSettings):
        return open_photos(replace(photos, size=max(photos.size, crop)), processes)
    if not hasattr(photos, "__iter__"):
        raise PhotosError(f"photos must be a folder, PhotoSettings or arrays, got {photos!r}")
    return ArrayPhotos(photos)
