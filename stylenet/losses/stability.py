"""Stability loss: shift equivariance and noise robustness of a network.

A network that works on every fourth pixel can paint by where the pixels are in its grid: a shift by one pixel then
changes the image, and video flickers. The penalty needs no video: a photo is shifted by a known number of pixels and
slightly noised, and what the network makes of both is compared where they overlap (the synthetic pairs of
fast-artistic-videos, Ruder et al. 2018, with whole pixels, so that nothing is interpolated). A network's own pattern
(`stylenet.models.plane_waves`) moves along with the photo, or it would not be used.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.device import generator_on
from stylenet.losses.measures import contrast
from stylenet.models.plane_waves import pattern_at

REACH = 3  # pixels; with the network's stride of 4, every shift that its grid can tell from none
NOISE = 6 / 255  # the largest standard deviation
MARGIN = 16  # pixels at the border, where the two photos differ in what lies beyond; of small photos an eighth


def stability_loss(
    network: nn.Module,
    photos: Float[Tensor, "b 3 h w"],
    stylized: Float[Tensor, "b 3 h w"],
    number: int,
    share: tuple[int, int] = (0, 1),
) -> Float[Tensor, ""]:
    """Mean squared difference of each of `stylized` to what becomes of its photo shifted and noised, over its contrast.

    Shift and noise depend on `number` alone, so that a resumed run continues with what would have come next. `share`
    is the rank of this process and the number of processes, which draw different parts of one noise.
    """
    generator, down, right, sigma = draw_shift_and_noise(number)
    height, width = photos.shape[-2:]
    wider = F.pad(photos, (REACH, REACH, REACH, REACH), mode="replicate")
    shifted = wider[..., REACH + down : REACH + down + height, REACH + right : REACH + right + width]
    noisy = shifted + sigma * standard_noise(photos, number, generator, share)
    with pattern_at(network, float(down), float(right)):
        again = network(noisy.contiguous(memory_format=torch.channels_last))
    difference = (crop_border(again, 0, 0) - crop_border(stylized, down, right)).float().square().mean((1, 2, 3))
    return (difference / contrast(stylized)).mean()


def draw_shift_and_noise(number: int) -> tuple[torch.Generator, int, int, float]:
    """The shift of batch `number` in pixels and its noise's standard deviation, and the generator that gave them."""
    generator = torch.Generator().manual_seed(number)
    down, right = torch.randint(-REACH, REACH + 1, (2,), generator=generator).tolist()
    return generator, down, right, float(NOISE * torch.rand((), generator=generator))


def standard_noise(
    photos: Float[Tensor, "b 3 h w"], number: int, generator: torch.Generator, share: tuple[int, int]
) -> Float[Tensor, "b 3 h w"]:
    """Standard normal noise, drawn where the photos are: on a GPU the way from the CPU took longer than the term."""
    rank, processes = share
    if photos.device.type != "cpu":
        generator = generator_on(photos.device, number)
    shape = (processes, *photos.shape)
    return torch.randn(shape, generator=generator, device=photos.device)[rank].to(photos.dtype)


def crop_border(images: Float[Tensor, "b 3 h w"], down: int, right: int) -> Float[Tensor, "b 3 h2 w2"]:
    """Crop without the border, offset by (down, right)."""
    height, width = images.shape[-2:]
    margin = REACH + min(MARGIN, height // 8, width // 8)
    return images[..., margin + down : height - margin + down, margin + right : width - margin + right]
