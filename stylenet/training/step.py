"""The parts of every training step, of one painting or of many: the photos that the network is shown, the sum that is
minimized, and the learning rate."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from stylenet.data.flat_areas import with_flat_areas
from stylenet.errors import UserError
from stylenet.losses.terms import LOSS_TERMS
from stylenet.models.plane_waves import pattern_at
from stylenet.training.faster import FasterOnCPU

WARM_UP = 0.1  # of all steps
PATTERN = 4000.0  # pixels of the network's pattern that batches come to lie on

Batch = UInt8[Tensor, "b 3 h w"] | Float[Tensor, "b 3 h w"]


def rate_factor(step: int, steps: int) -> float:
    """One cycle: linear warm-up over the first tenth of the run, then cosine decay to zero."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


@contextmanager
def shown_photos(
    network: nn.Module, batch: Batch, flat_areas: float, number: int, first: int = 0
) -> Iterator[Float[Tensor, "b 3 h w"]]:
    """The photos of batch `number` as the network is to learn from them. Losses are computed within it: the network's
    pattern lies somewhere else for each batch, and a CPU takes its faster ways.

    `flat_areas` is the share of the photos of which a part is made flat, and `first` the place in the batch of the
    first photo, where several processes share it.
    """
    photos = with_flat_areas(as_floats(batch), flat_areas, number, first)
    faster = FasterOnCPU() if photos.device.type == "cpu" else nullcontext()
    with pattern_at(network, *pattern_origin(number)), faster:
        yield photos


def pattern_origin(number: int) -> tuple[float, float]:
    """The place of batch `number` on the network's pattern, in pixels: random, as a crop sees a part of an image's."""
    generator = np.random.default_rng(number)  # not of torch, which could have to wait for a GPU
    return generator.uniform(0, PATTERN), generator.uniform(0, PATTERN)


def total_of(values: Mapping[str, Tensor]) -> Float[Tensor, ""]:
    """The sum of the weighted terms, which a step minimizes; one taken at every fourth batch counts four times."""
    return torch.stack([LOSS_TERMS[name].every * value for name, value in values.items()]).sum()


def as_floats(photos: Batch) -> Float[Tensor, "b 3 h w"]:
    """Photos in [0, 1], channels last in memory."""
    floats = photos.float() / 255 if photos.dtype == torch.uint8 else photos.float()
    return floats.contiguous(memory_format=torch.channels_last)


def checked_batch(batch: Any) -> Tensor:
    """The photos of a batch: a tensor, or a tensor alone in a list. Raises `UserError` for anything else."""
    if isinstance(batch, Sequence) and len(batch) == 1:  # as torch.utils.data.TensorDataset has it
        batch = batch[0]
    wanted = "a batch must be a tensor of photos (b, 3, h, w), uint8 or float in [0, 1]"
    if not isinstance(batch, Tensor):
        raise UserError(f"{wanted}, got {type(batch).__name__}")
    if batch.dim() != 4 or batch.shape[1] != 3 or not (batch.dtype == torch.uint8 or batch.is_floating_point()):
        raise UserError(f"{wanted}, got {str(batch.dtype).removeprefix('torch.')} of {tuple(batch.shape)}")
    if batch.is_floating_point():
        low, high = (float(value) for value in batch.aminmax())
        if not (low >= 0 and high <= 1):
            raise UserError(f"{wanted}, got values from {low:.3g} to {high:.3g}")
    return batch
