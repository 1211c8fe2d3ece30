"""A fixed pattern that a network can draw strokes along where the photo itself is flat.

What a network paints into an even sky depends on the sky alone, which has nothing but noise, and noise must not show.
So skies stayed empty. The pattern gives them low frequencies to start from: plane waves of different directions and
wavelengths (Fourier features, Tancik et al. 2020; as an input like the noise of Ulyanov et al. 2016, but the same each
time). It lies still on the image: it does not depend on the photo, nor on its noise.

Not part of the default network: it also led to patches of color on faces and walls (benchmarks/quality.md).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SHORTEST, LONGEST = 24.0, 160.0  # wavelengths, in pixels of the image
DIRECTION, PHASE = 0.6180339887, 0.7548776662  # steps of evenly spread numbers (the golden ratio, the plastic number)
AMPLITUDE = 16.0  # so that the weights, which are learned at the rate of all others, have an effect in short runs


class PlaneWaves(nn.Module):
    """Adds `count` plane waves to features, each channel with learned weights, 0 at first.

    `scale` is how many pixels of the image one position of the features stands for. `origin` is where on the pattern
    the first pixel lies, down and across; training moves it (`pattern_at`), use leaves it at 0.
    """

    def __init__(self, channels: int, count: int, scale: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, count))
        self.scale = scale
        self.origin = (0.0, 0.0)

    def forward(self, x: Float[Tensor, "b c h w"], first: int = 0) -> Float[Tensor, "b c h w"]:
        """`first` is the row of the whole image's features that `x` begins with."""
        down, across = self.origin
        rows = self.scale * torch.arange(first, first + x.shape[2], device=x.device) + down
        columns = self.scale * torch.arange(x.shape[3], device=x.device) + across
        waves = plane_waves(rows, columns, self.weight.shape[1]).to(self.weight.dtype)
        return x + F.conv2d(waves[None], self.weight[:, :, None, None]).to(x.dtype)


def plane_waves(rows: Tensor, columns: Tensor, count: int) -> Float[Tensor, "count h w"]:
    """The waves at rows and columns of the image, in fp32, between -`AMPLITUDE` and `AMPLITUDE`."""
    number = torch.arange(count, device=rows.device, dtype=torch.float32)
    wavelength = SHORTEST * (LONGEST / SHORTEST) ** (number / max(1, count - 1))
    direction = math.pi * (DIRECTION * number % 1)
    frequency = 2 * math.pi / wavelength
    vertical = (frequency * direction.sin())[:, None, None] * rows.float()[:, None]
    horizontal = (frequency * direction.cos())[:, None, None] * columns.float()
    phase = 2 * math.pi * (PHASE * number % 1)
    return AMPLITUDE * torch.sin(vertical + horizontal + phase[:, None, None])


@contextmanager
def pattern_at(network: nn.Module, down: float, across: float) -> Iterator[None]:
    """Within it, the network's pattern begins so many pixels further down and across than before."""
    found = [module for module in network.modules() if isinstance(module, PlaneWaves)]
    before = [module.origin for module in found]
    for module, (row, column) in zip(found, before, strict=True):
        module.origin = (row + down, column + across)
    try:
        yield
    finally:
        for module, origin in zip(found, before, strict=True):
            module.origin = origin
