"""The terms of the loss, in one mapping. A new term is a function and a line here, and a weight in `configs/loss/`.

A term measures stylized images in a `StepContext` and returns a scalar without its weight.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.device import generator_on
from stylenet.losses.measures import (
    contrast,
    detail,
    downsample,
    fits,
    split_into_tiles,
    tone_distance,
    total_variation,
)
from stylenet.losses.sliced import kept_positions, sliced_distance
from stylenet.losses.stability import stability_loss

if TYPE_CHECKING:
    from stylenet.losses.perceptual import PerceptualLoss


PIXEL_SCALES = (1, 2, 4, 8, 16)  # at which the sliced term compares colors
FEWEST_PIXELS = 4  # of the short side at such a scale


@dataclass(frozen=True)
class StepContext:
    """All that a term may look at. Images are RGB in [0, 1].

    `features` are those of the stylized images, by scale and layer (`stylenet.losses.measures.downsample`), and
    `references` those of the photos at the content's scale, by layer. `network` is None where
    images are evaluated without their network. `number` counts the batches; random parts of a term depend on
    it alone. `share` is the rank of this process and the number of processes. `painting(NAME, KEY)` is what a term's
    `prepare` has kept of the painting.
    """

    criterion: "PerceptualLoss"
    photos: Float[Tensor, "b 3 h w"]
    stylized: Float[Tensor, "b 3 h w"]
    features: Mapping[int, Mapping[str, Tensor]]
    references: Mapping[str, Tensor]
    network: nn.Module | None = None
    number: int = 0
    share: tuple[int, int] = (0, 1)

    def painting(self, name: str, key: str) -> Tensor:
        return self.criterion.get_buffer(f"painting_{name}_{key}")


@dataclass(frozen=True)
class Term:
    """A term of the loss.

    `measure` gives its value. With `in_units`, it is divided by the term's unit (`stylenet.losses.criterion`). A term
    with `every` n is computed every n-th batch, with n times the weight. A term that `needs_network` is left out where
    there is none. `prepare` computes once what the term keeps of the painting: its argument has the painting in place
    of the photos and the stylized images.
    """

    measure: Callable[[StepContext], Float[Tensor, ""]]
    in_units: bool = False
    every: int = 1
    needs_network: bool = False
    prepare: Callable[[StepContext], Mapping[str, Tensor]] | None = None


def content(step: StepContext) -> Float[Tensor, ""]:
    """Distance of the stylized images' features to the photos', averaged over the content layers.

    Differences in flat areas count less (`flat_content`): there is nothing to recognize, and there strokes should go.
    """
    criterion = step.criterion
    features, flat = step.features[criterion.content_scale(step.stylized)], criterion.settings.flat_content
    found = None if flat == 1 else detail(step.photos)
    distances = {
        layer: criterion.distance(reduce_flat_differences(features[layer], reference, found, flat), reference)
        for layer, reference in step.references.items()
    }
    return weighted_sum(distances, criterion.content_weights)


def reduce_flat_differences(features: Tensor, reference: Tensor, found: Tensor | None, flat: float) -> Tensor:
    """The features, moved toward the photos' where those are flat, so that squared differences count less.

    `found` is the photos' `detail` at any size; without it, all areas count alike.
    """
    if found is None:
        return features
    share = flat + (1 - flat) * F.interpolate(found, features.shape[2:], mode="area")
    return reference + share.sqrt() * (features - reference)


def style(step: StepContext) -> Float[Tensor, ""]:
    """Distance of the stylized images' Gram matrices to the painting's, averaged over style layers, tiles and scales.

    At a half and a quarter of the size (Gatys et al. 2017), broad strokes are as wide as the layers can see. With
    `style_tile`, tiles are compared one by one, and each of them wants all of the painting's strokes.
    """
    criterion, by_scale = step.criterion, []
    for scale in criterion.style_scales(step.stylized):
        distances = {
            layer: criterion.style_distance(
                layer, scale, split_into_tiles(step.features[scale][layer], tiles_across(step, scale))
            )
            for layer in criterion.style_weights[scale]
        }
        by_scale.append(weighted_sum(distances, criterion.style_weights[scale]))
    return torch.stack(by_scale).mean()


def sliced(step: StepContext) -> Float[Tensor, ""]:
    """Sliced Wasserstein distance to the painting: half of it of the style layers' features, half of the pixels."""
    generator = generator_on(step.stylized.device, step.number)
    return (sliced_features(step, generator) + sliced_pixels(step, generator)) / 2


def sliced_features(step: StepContext, generator: torch.Generator) -> Float[Tensor, ""]:
    criterion, by_scale = step.criterion, []
    for scale in criterion.style_scales(step.stylized):
        across = tiles_across(step, scale)
        distances = {
            layer: sliced_distance(
                split_into_tiles(step.features[scale][layer], across),
                step.painting("sliced", f"{layer}_{scale}"),
                generator,
                min(across, *step.features[scale][layer].shape[2:]) ** 2,
            )
            for layer in criterion.style_weights[scale]
        }
        by_scale.append(weighted_sum(distances, criterion.style_weights[scale]))
    return torch.stack(by_scale).mean()


def sliced_pixels(step: StepContext, generator: torch.Generator) -> Float[Tensor, ""]:
    """The distance of the colors, mean over scales up to 16 px; of whole images, as no tile needs every color."""
    scales = [scale for scale in pixel_scales(step) if hasattr(step.criterion, f"painting_sliced_pixels_{scale}")]
    distances = [
        sliced_distance(downsample(step.stylized, scale), step.painting("sliced", f"pixels_{scale}"), generator)
        for scale in scales
    ]
    return torch.stack(distances).mean()


def pixel_scales(step: StepContext) -> list[int]:
    """The scales of `PIXEL_SCALES` at which the images have enough pixels."""
    return [scale for scale in PIXEL_SCALES if fits(step.stylized, scale, FEWEST_PIXELS)]


def positions(step: StepContext) -> dict[str, Tensor]:
    """Positions of the painting's style layers and of its pixels, at each scale."""
    weights = step.criterion.style_weights
    of_layers = {f"{layer}_{at}": kept_positions(step.features[at][layer]) for at in weights for layer in weights[at]}
    of_pixels = {f"pixels_{scale}": kept_positions(downsample(step.stylized, scale)) for scale in pixel_scales(step)}
    return of_layers | of_pixels


def tone(step: StepContext) -> Float[Tensor, ""]:
    """Keeps light areas light and dark areas dark: no dark patches in skies, no negatives."""
    return tone_distance(step.stylized, step.photos).mean()


def tiles_across(step: StepContext, scale: int) -> int:
    """Tiles in each direction of the images at a scale."""
    tile = step.criterion.settings.style_tile
    return max(1, min(step.stylized.shape[2:]) // scale // tile) if tile else 1


def tv(step: StepContext) -> Float[Tensor, ""]:
    """Total variation; of `scale_free` relative to the contrast."""
    variation = total_variation(step.stylized)
    if step.criterion.settings.form == "scale_free":
        variation = variation / contrast(step.stylized).sqrt()
    return variation.mean()


def stability(step: StepContext) -> Float[Tensor, ""]:
    """Change of the output when the photo moves by some pixels and gets noise; costs a second pass."""
    network = step.network or nn.Identity()  # `needs_network`: it is there
    return stability_loss(network, step.photos, step.stylized, step.number, step.share)


LOSS_TERMS: dict[str, Term] = {
    "content": Term(content),
    "style": Term(style, in_units=True),
    "sliced": Term(sliced, in_units=True, prepare=positions),
    "tone": Term(tone),
    "tv": Term(tv),
    "stability": Term(stability, every=4, needs_network=True),
}
CYCLE = math.lcm(*(term.every for term in LOSS_TERMS.values()))  # batches in which every term has its turn


def weighted_sum(values: Mapping[str, Tensor], weights: Mapping[str, float]) -> Float[Tensor, ""]:
    return torch.stack([weights[name] * value for name, value in values.items()]).sum()
