"""Colors: CIE Lab, the photo's colors under a stylized image's luminance, and one palette fitted to another.

Images are RGB in [0, 1] with sRGB's gamma; Lab's white is D65, L in [0, 100].
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.media.lab import lab_to_rgb, rgb_to_lab

# A difference in Lab that hardly anyone sees counts as none: else a flat image's noise would become a palette.
INDISTINCT = 1.0
GAIN = 2.0  # the most that a palette is spread: more makes hard black and white of the soft strokes of a dull style


def keep_colors(photos: Float[Tensor, "b 3 h w"], stylized: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """The stylized image's luminance (L of Lab) with the photo's colors (a and b); what sRGB lacks is clipped."""
    return lab_to_rgb(torch.cat([rgb_to_lab(stylized)[:, :1], rgb_to_lab(photos)[:, 1:]], dim=1))


@dataclass(frozen=True)
class Palette:
    """Mean and covariance of an image's colors, in Lab."""

    mean: Float[Tensor, "b 3"]
    covariance: Float[Tensor, "b 3 3"]


@dataclass(frozen=True)
class Recoloring:
    """A linear map of colors, in Lab: `matrix @ color + shift`."""

    matrix: Float[Tensor, "b 3 3"]
    shift: Float[Tensor, "b 3"]


def palette_of(pictures: Float[Tensor, "b 3 h w"]) -> Palette:
    """One palette an image, on the CPU, as doubles: small matrices are inverted there."""
    colors = rgb_to_lab(pictures).flatten(2)
    mean = colors.mean(2)
    centered = colors - mean[:, :, None]
    covariance = centered @ centered.mT / colors.shape[2]
    return Palette(mean.cpu().double(), covariance.cpu().double())


def palette_of_strips(strips: Iterable[Float[Tensor, "b 3 n w"]]) -> Palette:
    """The same of images that come in strips, of which one is in memory at a time."""
    pixels, mean, square = 0, torch.zeros((), device="cpu"), torch.zeros((), device="cpu")
    for strip in strips:
        colors = rgb_to_lab(strip).flatten(2).cpu().double()
        pixels += colors.shape[2]
        mean, square = mean + colors.sum(2), square + colors @ colors.mT
    mean, square = mean / pixels, square / pixels
    return Palette(mean, square - mean[:, :, None] * mean[:, None, :])


def fit_color_map(source: Palette, target: Palette) -> Recoloring:
    """The map that gives images of the one palette the other, moving each color as little as can be.

    That is the Monge-Kantorovich map (Pitié & Kokaram 2007). In Lab, as it clips fewer colors there than in sRGB, or
    in linear RGB, where it also crushes the shadows. Where the target is more than `GAIN` times as wide, the result
    keeps its mean and is narrower.
    """
    blur = INDISTINCT**2 * torch.eye(3, dtype=torch.float64, device=source.covariance.device)
    spread = root(source.covariance + blur)
    inverse = torch.linalg.inv(spread)
    matrix = inverse @ root(spread @ (target.covariance + blur) @ spread) @ inverse
    gains, directions = torch.linalg.eigh(matrix)
    matrix = directions * gains.clamp(max=GAIN)[:, None] @ directions.mT
    return Recoloring(matrix, target.mean - (matrix @ source.mean[:, :, None])[:, :, 0])


def apply_color_map(pictures: Float[Tensor, "b 3 h w"], to: Recoloring) -> Float[Tensor, "b 3 h w"]:
    """The images after the map; what sRGB lacks is clipped."""
    colors = rgb_to_lab(pictures)
    matrix, shift = (part.to(colors.dtype).to(colors.device) for part in (to.matrix, to.shift))
    return lab_to_rgb((matrix @ colors.flatten(2) + shift[:, :, None]).view(colors.shape))


def root(matrices: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 3"]:
    """The symmetric positive root of symmetric positive matrices."""
    values, vectors = torch.linalg.eigh(matrices)
    roots: Tensor = vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.mT
    return roots


def luma(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Brightness as Rec. 709 weighs red, green and blue, in [0, 1]."""
    red, green, blue = pictures.unbind(1)
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue)[:, None]
