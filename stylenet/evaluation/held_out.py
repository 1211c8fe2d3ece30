"""How good a network is on photos that it was not trained on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.losses.perceptual import PerceptualLoss
from stylenet.models.network import StyleNetwork


@dataclass(frozen=True)
class HeldOut:
    """Mean losses over held-out photos, without weights.

    `untouched` is the style loss of the photos themselves (their content loss is 0), `share` is `style` over it.
    """

    content: float
    style: float
    untouched: float
    share: float


@torch.inference_mode()
def stylized_by(network: StyleNetwork, photos: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """What the network makes of the photos, one at a time, so that memory stays small."""
    return torch.cat([network(photo[None]).float() for photo in photos])


@torch.inference_mode()
def photo_by_photo(
    criterion: PerceptualLoss, network: StyleNetwork, photos: Float[Tensor, "n 3 h w"]
) -> list[dict[str, Tensor]]:
    """The figures of each photo but the share: scalars on the photos' device, where the criterion must be."""
    return [figures_of(criterion, photo[None], network(photo[None]).float()) for photo in photos]


def figures_of(
    criterion: PerceptualLoss, photo: Float[Tensor, "1 3 h w"], stylized: Float[Tensor, "1 3 h w"]
) -> dict[str, Tensor]:
    """The losses of one stylized photo, and its style loss before."""
    after = criterion(stylized, photo, ("content", "style"))
    return {**after, "untouched": criterion(photo, photo, ("style",))["style"]}


@torch.inference_mode()
def held_out_losses(
    criterion: PerceptualLoss, photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]
) -> HeldOut:
    """The figures of photos that are stylized already. The criterion must be on their device."""
    pairs = zip(photos, stylized, strict=True)
    each = [figures_of(criterion, photo[None], image[None]) for photo, image in pairs]
    content, style, untouched = (mean(each, name) for name in ("content", "style", "untouched"))
    return HeldOut(content, style, untouched, style / untouched)


def mean(each: list[dict[str, Tensor]], name: str) -> float:
    return float(torch.stack([figures[name] for figures in each]).mean())
