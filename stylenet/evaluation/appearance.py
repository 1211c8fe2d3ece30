"""What the eye compares: color, contrast, texture, empty areas, brush-stroke sizes and feature distributions.

All figures compare a stylized image with the painting, not with the photo. Gram distances hardly see saturation or
empty areas; these do. None of them sees where in the image something is: a scrambled image can score well, so read
them beside `ssim`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylenet.media.lab import rgb_to_lab

SIDE = 512  # pixels: stroke sizes are in pixels, so painting and image are compared at this short side
BLOCK, FLAT = 16, 2.5  # pixels; standard deviation of L below which a block counts as empty
OCTAVES = 5  # 1-2 px to 16-32 px
DIRECTIONS, QUANTILES, MAXIMUM_POINTS = 64, 512, 20_000
NEGLIGIBLE = 0.25  # of L, a or b: a painting with less has no such property to compare with


@dataclass(frozen=True)
class Appearance:
    """A stylized image relative to the painting: ratios are 1 for the painting itself, None where its figure is near 0.

    - `chroma`: ratio of the mean Lab chroma. Blind to hue.
    - `contrast`: ratio of the standard deviations of L. Blind to the size of what contrasts.
    - `texture`: ratio of the median standard deviations of L in blocks of 16 px. Fine hatching scores like broad
      strokes.
    - `empty`: share of blocks with a standard deviation of L below 2.5, minus the painting's share; 0 or less is good.
    - `bands`: ratios of the median RMS of L in five octaves, from 1-2 px to 16-32 px (a Laplacian pyramid). Blind to
      orientation.
    - `color_sw`: sliced Wasserstein distance of the Lab colors, in Lab units. Blind to where a color is.
    - `feature_sw`: the same of a VGG's features, per layer in standard deviations of the painting's, averaged.
    """

    chroma: float | None
    contrast: float | None
    texture: float | None
    empty: float
    bands: tuple[float | None, ...]
    color_sw: float
    feature_sw: float


@torch.inference_mode()
def appearance(
    image: Float[Tensor, "1 3 h w"],
    painting: Float[Tensor, "1 3 p q"],
    features: Mapping[str, Float[Tensor, "1 c _ _"]],
    painting_features: Mapping[str, Float[Tensor, "1 c _ _"]],
) -> Appearance:
    """Compares an image with the painting, both RGB in [0, 1] at a short side of `SIDE`, and their VGG features.

    Sides must be at least 64 px.
    """
    own, target = rgb_to_lab(image)[0], rgb_to_lab(painting)[0]
    texture, target_texture = block_deviations(own[0]), block_deviations(target[0])
    distances = [
        sliced_wasserstein(features[layer].flatten(2)[0], reference) / float(reference.std(1).mean().clamp_min(1e-12))
        for layer, reference in ((layer, value.float().flatten(2)[0]) for layer, value in painting_features.items())
    ]
    return Appearance(
        chroma=ratio(mean_chroma(own), mean_chroma(target)),
        contrast=ratio(own[0].std(), target[0].std()),
        texture=ratio(texture.median(), target_texture.median()),
        empty=float((texture < FLAT).float().mean() - (target_texture < FLAT).float().mean()),
        bands=tuple(ratio(a, b) for a, b in zip(bands(own[0]), bands(target[0]), strict=True)),
        color_sw=sliced_wasserstein(own.flatten(1), target.flatten(1)),
        feature_sw=sum(distances) / len(distances),
    )


def ratio(value: Tensor, reference: Tensor) -> float | None:
    return float(value / reference) if reference > NEGLIGIBLE else None


def mean_chroma(lab: Float[Tensor, "3 h w"]) -> Float[Tensor, ""]:
    return lab[1:].square().sum(0).sqrt().mean()


def block_deviations(lightness: Float[Tensor, "h w"]) -> Float[Tensor, "rows columns"]:
    """The standard deviation of L in each block of 16 px."""
    height, width = (side // BLOCK * BLOCK for side in lightness.shape)
    blocks: Tensor = lightness[:height, :width].unfold(0, BLOCK, BLOCK).unfold(1, BLOCK, BLOCK)
    return blocks.flatten(2).std(2)


def bands(lightness: Float[Tensor, "h w"]) -> list[Float[Tensor, ""]]:
    """The median over blocks of 64 px of the RMS of L in each octave, fine to coarse (a pyramid of box means)."""
    block = BLOCK * 4
    height, width = (side // block * block for side in lightness.shape)
    level, found = lightness[None, None, :height, :width], []
    for octave in range(OCTAVES):
        coarser = F.avg_pool2d(level, 2)
        detail = level - F.interpolate(coarser, scale_factor=2, mode="bilinear", align_corners=False)
        found.append(F.avg_pool2d(detail.square(), block >> octave).sqrt().median())
        level = coarser
    return found


def sliced_wasserstein(first: Float[Tensor, "c n"], second: Float[Tensor, "c m"]) -> float:
    """Root mean squared distance of the quantiles of both distributions along fixed random directions."""
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(DIRECTIONS, len(first), generator=generator), dim=1).to(first.device)
    difference = quantiles(first.float(), directions) - quantiles(second.float(), directions)
    return float(difference.square().mean().sqrt())


def quantiles(points: Float[Tensor, "c n"], directions: Float[Tensor, "d c"]) -> Float[Tensor, "q d"]:
    places = torch.linspace(0, points.shape[1] - 1, min(points.shape[1], MAXIMUM_POINTS)).long()
    levels = torch.linspace(0, 1, QUANTILES, device=points.device)
    return torch.quantile(directions @ points[:, places.to(points.device)], levels, dim=1)
