"""Strokes of another width: the network sees a smaller or larger photo, the result comes back at full size.

The network's strokes are as wide in pixels as it has learned; on a photo of half the size they are twice as wide
in the result. What a smaller photo has lost are its edges, so they are given back.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylenet.inference.color import luma

# A contrast, in [0, 1], at which a detail counts as half an edge: 0.06 keeps paper, walls and noise out.
EDGE = 0.06
FLAT = 0.01  # and one that counts as none


def scale_down(photos: Float[Tensor, "b 3 h w"], stroke: float, least: int = 16) -> Float[Tensor, "b 3 p q"]:
    """The photos at 1/`stroke` of their size, but with sides of at least `least` pixels, for the network."""
    height, width = (max(round(side / stroke), min(side, least)) for side in photos.shape[-2:])
    return resample(photos, height, width).clamp(0, 1)


def back_at_full_size(
    stylized: Float[Tensor, "b 3 p q"], small: Float[Tensor, "b 3 p q"], photos: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, "b 3 h w"]:
    """The stylized image at the photo's size, with the photo's edges where it was smaller.

    Enlarged alone it would be soft. The fast guided filter (He & Sun 2015) is sharp, but takes strokes that the photo
    doesn't suggest for noise and smooths them away. So only its weights are used: the brightness that `small` lost
    against `photos` is added to the enlarged image where it belongs to an edge, and left away where it's grain; and
    as faintly as the style has painted that place. At its own contrast, foliage became black and white specks.
    """
    height, width = photos.shape[-2:]
    enlarged = resample(stylized, height, width)
    if height * width > small.shape[-2] * small.shape[-1]:
        guide = luma(small)
        gain = edge_weight(guide) * faintness(luma(stylized), guide)
        weight = F.interpolate(gain, size=(height, width), mode="bilinear")
        enlarged = enlarged + weight * (luma(photos) - resample(guide, height, width))
    return enlarged.clamp(0, 1)


def edge_weight(guide: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Near 1 at edges, near 0 in flat areas: the gain of a guided filter that guides itself, 3 x 3 pixels."""
    variance = around(guide**2) - around(guide) ** 2
    return around(variance / (variance + EDGE**2))


def faintness(stylized: Float[Tensor, "b 1 h w"], guide: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """The share of the photo's contrast that is left around each pixel, at most 1."""
    return ((contrast(stylized) + FLAT) / (contrast(guide) + FLAT)).clamp(max=1)


def contrast(x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """The standard deviation among 9 x 9 pixels."""
    return (around(x**2, 9) - around(x, 9) ** 2).clamp(min=0).sqrt()


def around(x: Float[Tensor, "b 1 h w"], size: int = 3) -> Float[Tensor, "b 1 h w"]:
    """The mean of `size` x `size` pixels."""
    return F.avg_pool2d(x, size, stride=1, padding=size // 2, count_include_pad=False)


def resample(x: Float[Tensor, "b c h w"], height: int, width: int) -> Float[Tensor, "b c p q"]:
    """Bicubic, of as many pixels as it takes when made smaller; may overshoot."""
    return F.interpolate(x, size=(height, width), mode="bicubic", antialias=True)
