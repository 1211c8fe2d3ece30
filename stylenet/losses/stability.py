"""Calm networks: what a network makes of a photo should move with the photo, and not answer its noise.

A network that works on every fourth pixel can paint by where the pixels stand in its grid: a shift by one pixel then
changes the picture, and video flickers. The penalty needs no video: a photo is shifted by a known number of pixels and
lightly noised, and what the network makes of both is compared where they overlap (the synthetic pairs of
fast-artistic-videos, Ruder et al. 2018, with whole pixels, so that nothing is interpolated).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.distributed import rank_and_world
from stylenet.losses.perceptual import contrast

REACH = 3  # pixels; with the network's stride of 4, every shift that its grid can tell from none
NOISE = 6 / 255  # the largest standard deviation
RIM = 16  # pixels at the border, where the two photos differ in what lies beyond; of small photos an eighth


def calm_loss(
    network: nn.Module, photos: Float[Tensor, "b 3 h w"], stylized: Float[Tensor, "b 3 h w"], number: int
) -> Float[Tensor, ""]:
    """Mean squared difference of each of `stylized` to what becomes of its photo shifted and noised, over its contrast.

    Shift and noise depend on `number` alone, so that a resumed run goes on with what would have come next.
    """
    generator = torch.Generator().manual_seed(number)
    down, right = torch.randint(-REACH, REACH + 1, (2,), generator=generator).tolist()
    sigma = NOISE * torch.rand((), generator=generator)
    height, width = photos.shape[-2:]
    wider = F.pad(photos, (REACH, REACH, REACH, REACH), mode="replicate")
    shifted = wider[..., REACH + down : REACH + down + height, REACH + right : REACH + right + width]
    rank, world = rank_and_world()
    noise = sigma * torch.randn((world, *photos.shape), generator=generator)[rank]
    again = network((shifted + noise.to(photos)).contiguous(memory_format=torch.channels_last))
    difference = (inner(again, 0, 0) - inner(stylized, down, right)).float().square().mean((1, 2, 3))
    return (difference / contrast(stylized)).mean()


def inner(pictures: Float[Tensor, "b 3 h w"], down: int, right: int) -> Float[Tensor, "b 3 h2 w2"]:
    """Without the rim, seen from so many pixels further."""
    height, width = pictures.shape[-2:]
    rim = REACH + min(RIM, height // 8, width // 8)
    return pictures[..., rim + down : height - rim + down, rim + right : width - rim + right]
