"""Stability: how much a network's output changes when the photo moves by a pixel or has a little noise."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.media.image import to_uint8
from stylenet.models.network import StyleNetwork

NOISE = 2.0  # of 255
MARGIN = 16  # pixels, left off


@dataclass(frozen=True)
class Stability:
    """`shift`: RMS change, of 255, when the photo moves by 1 px, where both overlap. `noise`: RMS change over that of
    the photo, when it gets noise of sigma 2 of 255. Outputs count as 8 bits, as in a file.
    """

    shift: float
    noise: float


@torch.inference_mode()
def stability(network: StyleNetwork, photos: Float[Tensor, "n 3 h w"]) -> Stability:
    """The mean over the photos, which are cropped by one column. Sides must be at least 64 px."""
    each = [shift_and_noise(network, photo[None]) for photo in photos]
    return Stability(*(sum(column) / len(each) for column in zip(*each, strict=True)))


def shift_and_noise(network: StyleNetwork, photo: Float[Tensor, "1 3 h w"]) -> tuple[float, float]:
    """Shift and noise gain of one photo."""
    noise = NOISE * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    left, right = 255 * photo[..., :-1], 255 * photo[..., 1:]
    noisy = (left + noise[..., :-1].to(photo)).round().clamp(0, 255)
    output, shifted, perturbed = (to_uint8(network(image / 255)).float() for image in (left, right, noisy))
    shift = rms(without_margin(output)[..., 1:] - without_margin(shifted)[..., :-1])
    return shift, rms(without_margin(perturbed - output)) / rms(noisy - left)


def without_margin(image: Tensor) -> Tensor:
    return image[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def rms(difference: Tensor) -> float:
    return float(difference.square().mean().sqrt())
