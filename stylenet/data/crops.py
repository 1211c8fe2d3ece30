"""Batches to train on: random squares of random photos, each batch known by its number alone."""

import itertools
import math
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset

from stylenet.data.sets import Photos
from stylenet.distributed import rank_and_world
from stylenet.host import usable_cores
from stylenet.prefetch import in_order

SMALLEST_AREA = 0.08  # of the largest square that fits into the photo: users have larger images than this
ORDER, CROP = 0, 1  # two streams of random numbers that must never meet


class RandomCrops(IterableDataset[Tensor]):
    """Batches without end: uint8, RGB, `batch/world 3 crop crop`, channels last in memory.

    Batch `k` depends on the photos, the seed and `k` alone, however many threads cut ahead of the training:
    a run that begins at `first_batch` goes on bit for bit. Each pass over the photos has its own order. All
    processes together make a batch of `batch` squares, of which `rank` of `world` (of torch.distributed where
    none are given) cuts its own part. `waited` counts the seconds in which a batch was asked for and not there.
    """

    def __init__(
        self,
        photos: Photos,
        crop: int,
        batch: int,
        seed: int,
        first_batch: int = 0,
        rank: int | None = None,
        world: int | None = None,
        threads: int | None = None,
    ) -> None:
        if rank is None or world is None:
            rank, world = rank_and_world()
        if crop < 16:
            raise ValueError(f"crop is the side in pixels and must be at least 16, got {crop}")
        if batch < 1 or batch % world:
            raise ValueError(f"batch is shared by {world} processes and must be a multiple of it, got {batch}")
        self.photos, self.seed, self.first_batch = photos, seed, first_batch
        self.crop, self.batch = crop, batch
        share = batch // world
        self.share = range(rank * share, (rank + 1) * share)
        self.threads = threads or min(8, max(1, usable_cores() // 2 // world))  # the machine's, shared out
        self.waited = 0.0

    def __iter__(self) -> Iterator[UInt8[Tensor, "b 3 crop crop"]]:
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="crops")
        exiting = sys.is_finalizing  # a local name: the modules' own are gone when Python closes an iterator at exit
        batches = in_order(pool, self.batch_at, itertools.count(self.first_batch), depth=2 * self.threads)
        try:
            while True:
                begun = time.perf_counter()
                batch = next(batches)
                self.waited += time.perf_counter() - begun
                yield batch
        finally:
            if not exiting():
                pool.shutdown(wait=False, cancel_futures=True)

    def batch_at(self, number: int) -> UInt8[Tensor, "b 3 crop crop"]:
        """The share of batch `number`, counted from 0, of this process. Raises `PhotosError`."""
        squares = np.stack([self._square(number * self.batch + row) for row in self.share])
        return torch.from_numpy(squares).permute(0, 3, 1, 2)

    def _square(self, position: int) -> UInt8[np.ndarray, "crop crop 3"]:
        photo = self.photos[self._index(position)].permute(1, 2, 0).numpy()
        return random_square(photo, self.crop, np.random.default_rng((self.seed, CROP, position)))

    def _index(self, position: int) -> int:
        """The index of the photo at a place in the endless row of passes over all of them."""
        pass_, place = divmod(position, self.photos.reach(position + 1))
        if self.photos.in_order and pass_ == 0:
            return place
        return int(_order(len(self.photos), self.seed, pass_)[place])


@lru_cache(maxsize=8)
def _order(count: int, seed: int, pass_: int) -> Int[np.ndarray, " n"]:
    return np.random.default_rng((seed, ORDER, pass_)).permutation(count)


def random_square(
    photo: UInt8[np.ndarray, "h w 3"], crop: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "crop crop 3"]:
    """A photo's largest square or a part of it, anywhere in it, scaled to `crop` pixels, maybe mirrored.

    Shapes stay true: nothing is stretched.
    """
    height, width = photo.shape[:2]
    side = min(height, width) * math.sqrt(rng.uniform(SMALLEST_AREA, 1))
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    box = (left, top, min(left + side, width), min(top + side, height))
    # Pillow's own resize: antialiased, without the interpreter's lock, the same for any number of threads.
    square = np.array(Image.fromarray(photo).resize((crop, crop), Image.Resampling.BICUBIC, box=box))
    return np.ascontiguousarray(square[:, ::-1]) if rng.random() < 0.5 else square
