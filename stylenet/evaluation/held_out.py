"""How good a network is on photos that it was not trained on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.losses.criterion import photo_losses
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
def held_out_losses(
    criterion: PerceptualLoss, photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]
) -> HeldOut:
    """One photo at a time as well. The criterion must be on the photos' device."""
    terms = ("content", "style")
    pairs = zip(stylized, photos, strict=True)
    losses = [criterion(image[None], photo[None], terms) for image, photo in pairs]
    content, style = (float(torch.stack([each[name] for each in losses]).mean()) for name in terms)
    before = float(photo_losses(criterion, photos)["style"])
    return HeldOut(content, style, before, style / before)
