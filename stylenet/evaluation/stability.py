"""How much a network's picture changes when the photo moves by a pixel or is a little noisy."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.media.image import to_uint8
from stylenet.models.network import StyleNetwork

NOISE = 2.0  # of 255
RIM = 16  # pixels, left off


@dataclass(frozen=True)
class Calmness:
    """`shift`: RMS change, of 255, when the photo moves by 1 px, where both overlap. `noise`: RMS change over that of
    the photo, when it gets noise of sigma 2 of 255. Pictures count as 8 bits, as a file has them.
    """

    shift: float
    noise: float


@torch.inference_mode()
def calmness(network: StyleNetwork, photos: Float[Tensor, "n 3 h w"]) -> Calmness:
    """Mean over the photos, which are cut by one column. Sides must be at least 64 px."""
    both = [one(network, photo[None]) for photo in photos]
    return Calmness(*(sum(column) / len(both) for column in zip(*both, strict=True)))


def one(network: StyleNetwork, photo: Float[Tensor, "1 3 h w"]) -> tuple[float, float]:
    """Shift and noise gain of one photo."""
    noise = NOISE * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    left, right = 255 * photo[..., :-1], 255 * photo[..., 1:]
    noisy = (left + noise[..., :-1].to(photo)).round().clamp(0, 255)
    still, moved, shaken = (to_uint8(network(picture / 255)).float() for picture in (left, right, noisy))
    shift = rms(inside(still)[..., 1:] - inside(moved)[..., :-1])
    return shift, rms(inside(shaken - still)) / rms(noisy - left)


def inside(picture: Tensor) -> Tensor:
    return picture[..., RIM:-RIM, RIM:-RIM]


def rms(difference: Tensor) -> float:
    return float(difference.square().mean().sqrt())
