"""Losses and appearance of a network on photos that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.evaluation.appearance import SMALLEST, PaintingFigures
from stylenet.losses.criterion import photo_context
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.models.network import StyleNetwork

APPEARANCE = ("chroma", "texture", "coarse", "empty", "color_sw")  # those of `appearance` that a run logs
NO_DISTANCE = 1e-6  # of style losses: less is rounding
POINTS = 4096  # whose colors are compared: more cost more time than all else here, and change color_sw by a percent


@dataclass(frozen=True)
class HeldOut:
    """Mean losses over held-out photos, without weights.

    `style_baseline` is the style loss of the photos themselves (their content loss is 0), `style_ratio` is `style` over
    it, None where photo and painting are the same.
    """

    content: float
    style: float
    style_baseline: float
    style_ratio: float | None = None


@torch.inference_mode()
def stylized_by(network: StyleNetwork, photos: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """The stylized photos, made one at a time, so that memory stays small."""
    return torch.cat([network(photo[None]).float() for photo in photos])


@torch.inference_mode()
def photo_by_photo(
    criterion: PerceptualLoss,
    network: nn.Module,
    photos: Float[Tensor, "n 3 h w"],
    painting: PaintingFigures | None = None,
) -> list[dict[str, Tensor]]:
    """The figures of each photo but the ratio: scalars on the photos' device, where the criterion must be.

    With the `painting`, `APPEARANCE` is among them.
    """
    found = []
    for photo in photos:
        image = network(photo[None]).float()
        found.append({**figures_of(criterion, photo[None], image), **appearance_of(image, painting)})
    return found


def appearance_of(image: Float[Tensor, "1 3 h w"], painting: PaintingFigures | None) -> dict[str, Tensor]:
    """`APPEARANCE` of a stylized photo; none of an image that is too small, no ratio to a figure that is near 0."""
    if painting is None or min(image.shape[-2:]) < SMALLEST:
        return {}
    found = painting.compare(image, POINTS)
    return {name: found[name] for name in APPEARANCE if name in found}


def mean_figures(each: Sequence[dict[str, Tensor]]) -> dict[str, float]:
    """The means over photos, and `style_ratio` unless photo and painting are the same."""
    found = {name: float(torch.stack([figures[name] for figures in each]).mean()) for name in each[0]}
    baseline = found["style_baseline"]
    return {**found, "style_ratio": found["style"] / baseline} if baseline > NO_DISTANCE else found


def figures_of(
    criterion: PerceptualLoss, photo: Float[Tensor, "1 3 h w"], stylized: Float[Tensor, "1 3 h w"]
) -> dict[str, Tensor]:
    """The losses of one stylized photo, and its style loss before."""
    before = photo_context(criterion, photo)
    after = replace(before, stylized=stylized, features=criterion.features(stylized))
    values = {name: criterion.value(name, after) for name in ("content", "style")}
    return {**values, "style_baseline": criterion.value("style", before)}


@torch.inference_mode()
def held_out_losses(
    criterion: PerceptualLoss, photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]
) -> HeldOut:
    """The figures of photos that are stylized already. The criterion must be on their device."""
    pairs = zip(photos, stylized, strict=True)
    return HeldOut(**mean_figures([figures_of(criterion, photo[None], image[None]) for photo, image in pairs]))
