"""Replaces nearly uniform images by their mean color before they enter a network.

Instance norm divides by an image's own contrast. Where there is none but noise or rounding, it makes a picture of
these: strokes that boil in a fade from black, and that differ from device to device.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

NOTHING = 3.01 / 255  # what a color spans, at most, in an image on which nothing can be seen

Extremes = tuple[Float[Tensor, "b 3 1 1"], Float[Tensor, "b 3 1 1"]]


def extremes(pixels: Tensor) -> Extremes:
    """The smallest and largest values of each color of images `b 3 h w`, in [0, 1]."""
    unit = 255 if pixels.dtype == torch.uint8 else 1
    low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    return low.float() / unit, high.float() / unit


def is_even(found: Extremes) -> Bool[Tensor, "b 1 1 1"]:
    """Which of the images have nothing on them."""
    low, high = found
    return (high - low).amax(1, keepdim=True) <= NOTHING


def replace_uniform_images(photos: Float[Tensor, "b 3 n w"], found: Extremes) -> Float[Tensor, "b 3 n w"]:
    """The photos, or parts of them; of one that spans no more than `NOTHING` in all, its color alone.

    No value is read back, for which a GPU would have to finish first.
    """
    low, high = (each.to(photos.device) for each in found)
    return torch.where(is_even((low, high)), ((low + high) / 2).to(photos.dtype), photos)
