"""Figures of what the eye compares: color, contrast, texture, empty areas, stroke sizes and feature distributions.

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

from stylenet.device import to_device
from stylenet.media.lab import rgb_to_lab

SIDE = 512  # pixels: stroke sizes are in pixels, so painting and image are compared at this short side
BLOCK, FLAT = 16, 2.5  # pixels; standard deviation of L below which a block counts as empty
OCTAVES = 5  # 1-2 px to 16-32 px
BANDS = tuple(f"band_{octave}" for octave in range(OCTAVES))
COARSE = BANDS[2:]  # 4-8 px to 16-32 px
SMALLEST = BLOCK * 4  # pixels: a side must hold a block of the coarsest octave
DIRECTIONS, QUANTILES, MAXIMUM_POINTS = 64, 512, 20_000
NEGLIGIBLE = 0.25  # of L, a or b: a painting with less has no such property to compare with


@dataclass(frozen=True)
class Appearance:
    """A stylized image relative to the painting: ratios are 1 for the painting itself, None where its figure is near 0.

    - `chroma`: ratio of the mean Lab chroma. Blind to hue.
    - `contrast_ratio`: ratio of the standard deviations of L. Blind to the size of what contrasts.
    - `texture`: ratio of the median standard deviations of L in blocks of 16 px. Fine hatching scores like broad
      strokes.
    - `empty`: share of blocks with a standard deviation of L below 2.5, minus the painting's share; 0 or less is good.
      Blind to where they are.
    - `bands`: ratios of the median RMS of L in five octaves, from 1-2 px to 16-32 px (a Laplacian pyramid). Blind to
      orientation.
    - `coarse`: the mean of the three coarse ones of `bands`. One that is too strong hides one that is too weak.
    - `color_sw`: sliced Wasserstein distance of the Lab colors, in Lab units. Blind to where a color is.
    - `feature_sw`: the same of a VGG's features, per layer in standard deviations of the painting's, averaged. Flatters
      a network that was trained on the same VGG.
    """

    chroma: float | None
    contrast_ratio: float | None
    texture: float | None
    empty: float
    bands: tuple[float | None, ...]
    coarse: float | None
    color_sw: float
    feature_sw: float


class PaintingFigures:
    """The pixel figures of a painting, which those of images are compared with.

    `painting` is RGB in [0, 1] with a short side of `SIDE`.
    """

    def __init__(self, painting: Float[Tensor, "1 3 p q"]) -> None:
        with torch.inference_mode():
            lab = rgb_to_lab(painting.float())[0]
            self.measured = {name: float(value) for name, value in lightness_and_chroma(lab).items()}
            self.colors = quantiles(lab.flatten(1), directions(lab))

    @torch.inference_mode()
    def compare(self, image: Float[Tensor, "1 3 h w"], points: int = MAXIMUM_POINTS) -> dict[str, Float[Tensor, ""]]:
        """The figures of `Appearance` of an image, scalars on its device, the bands as `band_0` to `band_4`.

        Ratios to what is near 0 are left out. Colors are those of at most `points` of the pixels. Sides must be at
        least `SMALLEST` px.
        """
        with torch.autocast(image.device.type, enabled=False):
            lab = rgb_to_lab(image.float())[0]
            own = lightness_and_chroma(lab)
            difference = quantiles(lab.flatten(1), directions(lab), points) - self.colors.to(lab.device)
        empty = own.pop("empty") - self.measured["empty"]
        ratios = {name: value / self.measured[name] for name, value in own.items() if self.measured[name] > NEGLIGIBLE}
        if coarse := [ratios[name] for name in COARSE if name in ratios]:
            ratios["coarse"] = torch.stack(coarse).mean()
        return {**ratios, "empty": empty, "color_sw": difference.square().mean().sqrt()}


@torch.inference_mode()
def appearance(
    image: Float[Tensor, "1 3 h w"],
    painting: PaintingFigures,
    features: Mapping[str, Float[Tensor, "1 c _ _"]],
    painting_features: Mapping[str, Float[Tensor, "1 c _ _"]],
) -> Appearance:
    """Compares an image, RGB in [0, 1], with the painting; both with their VGG features at the same scale.

    Sides must be at least `SMALLEST` px.
    """
    found = {name: float(value) for name, value in painting.compare(image).items()}
    return Appearance(
        chroma=found.get("chroma"),
        contrast_ratio=found.get("contrast_ratio"),
        texture=found.get("texture"),
        empty=found["empty"],
        bands=tuple(found.get(name) for name in BANDS),
        coarse=found.get("coarse"),
        color_sw=found["color_sw"],
        feature_sw=feature_distance(features, painting_features),
    )


def feature_distance(
    features: Mapping[str, Float[Tensor, "1 c _ _"]], painting_features: Mapping[str, Float[Tensor, "1 c _ _"]]
) -> float:
    """The mean over the layers of the sliced Wasserstein distance, each in standard deviations of the painting's."""
    distances = []
    for layer, reference in ((layer, value.float().flatten(2)[0]) for layer, value in painting_features.items()):
        spread = float(reference.std(1).mean().clamp_min(1e-12))
        distances.append(sliced_wasserstein(features[layer].flatten(2)[0], reference) / spread)
    return sum(distances) / len(distances)


def lightness_and_chroma(lab: Float[Tensor, "3 h w"]) -> dict[str, Float[Tensor, ""]]:
    """The figures that a ratio or a difference is taken of."""
    deviations = block_deviations(lab[0])
    return {
        "chroma": mean_chroma(lab),
        "contrast_ratio": lab[0].std(),
        "texture": deviations.median(),
        "empty": (deviations < FLAT).float().mean(),
        **dict(zip(BANDS, bands(lab[0]), strict=True)),
    }


def mean_chroma(lab: Float[Tensor, "3 h w"]) -> Float[Tensor, ""]:
    return lab[1:].square().sum(0).sqrt().mean()


def block_deviations(lightness: Float[Tensor, "h w"]) -> Float[Tensor, "rows columns"]:
    """The standard deviation of L in each block of 16 px."""
    height, width = (side // BLOCK * BLOCK for side in lightness.shape)
    blocks: Tensor = lightness[:height, :width].unfold(0, BLOCK, BLOCK).unfold(1, BLOCK, BLOCK)
    return blocks.flatten(2).std(2)


def bands(lightness: Float[Tensor, "h w"]) -> list[Float[Tensor, ""]]:
    """The median over blocks of 64 px of the RMS of L in each octave, fine to coarse (a pyramid of box means)."""
    block = SMALLEST
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
    along = directions(first)
    difference = quantiles(first.float(), along) - quantiles(second.float(), along)
    return float(difference.square().mean().sqrt())


def directions(points: Float[Tensor, "c ..."]) -> Float[Tensor, "d c"]:
    """Unit vectors, always the same, on the device of the points; the generators of a training are not used."""
    generator = torch.Generator().manual_seed(0)
    return to_device(F.normalize(torch.randn(DIRECTIONS, len(points), generator=generator), dim=1), points.device)


def quantiles(
    points: Float[Tensor, "c n"], along: Float[Tensor, "d c"], most: int = MAXIMUM_POINTS
) -> Float[Tensor, "q d"]:
    """The quantiles of at most so many of the points along each direction."""
    places = torch.linspace(0, points.shape[1] - 1, min(points.shape[1], most)).long()
    levels = torch.linspace(0, 1, QUANTILES, device=points.device)
    return torch.quantile(along @ points[:, to_device(places, points.device)], levels, dim=1)
