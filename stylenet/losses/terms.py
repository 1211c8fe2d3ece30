"""The terms of the loss, in one mapping. A new term is a function and a line here, and a weight in `LossSettings`.

A term measures stylized images in a `StepContext` and returns a scalar without its weight.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.losses.measures import contrast, total_variation
from stylenet.losses.stability import stability_loss

if TYPE_CHECKING:
    from stylenet.losses.perceptual import PerceptualLoss


@dataclass(frozen=True)
class StepContext:
    """All that a term may look at. Images are RGB in [0, 1].

    `features` are those of the stylized images and `references` those of the photos, by layer. `network` is None where
    images are judged that no network at hand has made. `number` counts the batches; random parts of a term depend on
    it alone. `share` is the rank of this process and the number of processes.
    """

    criterion: "PerceptualLoss"
    photos: Float[Tensor, "b 3 h w"]
    stylized: Float[Tensor, "b 3 h w"]
    features: Mapping[str, Tensor]
    references: Mapping[str, Tensor]
    network: nn.Module | None = None
    number: int = 0
    share: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class Term:
    """A term of the loss.

    `measure` gives its value. With `in_units`, `scale_free` counts it in units of what the painting and photos as they
    are differ by (`stylenet.losses.criterion`). A costly term is taken at every `every`-th batch only, so many times
    as heavy. A term that `needs_network` is left out where there is none.
    """

    measure: Callable[[StepContext], Float[Tensor, ""]]
    in_units: bool = False
    every: int = 1
    needs_network: bool = False


def content(step: StepContext) -> Float[Tensor, ""]:
    """Distance of the stylized images' features to the photos', averaged over the content layers."""
    criterion = step.criterion
    distances = {
        layer: criterion.distance(step.features[layer], step.references[layer]) for layer in criterion.content_weights
    }
    return weighted_sum(distances, criterion.content_weights)


def style(step: StepContext) -> Float[Tensor, ""]:
    """Distance of the stylized images' Gram matrices to the painting's, averaged over the style layers."""
    criterion = step.criterion
    distances = {layer: criterion.style_distance(layer, step.features[layer]) for layer in criterion.style_weights}
    return weighted_sum(distances, criterion.style_weights)


def tv(step: StepContext) -> Float[Tensor, ""]:
    """Total variation; of `scale_free` relative to the contrast."""
    variation = total_variation(step.stylized)
    if step.criterion.settings.form == "scale_free":
        variation = variation / contrast(step.stylized).sqrt()
    return variation.mean()


def stability(step: StepContext) -> Float[Tensor, ""]:
    """What the network changes when the photo moves by some pixels and gets noise: costs a second pass."""
    network = step.network or nn.Identity()  # `needs_network`: it is there
    return stability_loss(network, step.photos, step.stylized, step.number, step.share)


LOSS_TERMS: dict[str, Term] = {
    "content": Term(content),
    "style": Term(style, in_units=True),
    "tv": Term(tv),
    "stability": Term(stability, every=2, needs_network=True),
}
CYCLE = math.lcm(*(term.every for term in LOSS_TERMS.values()))  # batches in which every term has its turn


def weighted_sum(values: Mapping[str, Tensor], weights: Mapping[str, float]) -> Float[Tensor, ""]:
    return torch.stack([weights[name] * value for name, value in values.items()]).sum()
