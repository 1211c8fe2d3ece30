"""How good a network is on photos that it was not trained on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.losses.criterion import untouched
from stylenet.losses.perceptual import Losses, PerceptualLoss
from stylenet.models.transformer_net import TransformerNet


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
def stylized_by(network: TransformerNet, photos: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """What the network makes of the photos, one at a time, so that memory stays small."""
    return torch.cat([network(photo[None]).float() for photo in photos])


@torch.inference_mode()
def held_out_losses(
    criterion: PerceptualLoss, photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]
) -> HeldOut:
    """One photo at a time as well. The criterion must be on the photos' device."""
    after = [criterion(picture[None], photo[None]) for picture, photo in zip(stylized, photos, strict=True)]
    style, before = mean(after, "style"), float(untouched(criterion, photos))
    return HeldOut(mean(after, "content"), style, before, style / before)


def mean(losses: list[Losses], term: str) -> float:
    return float(torch.stack([getattr(each, term) for each in losses]).mean())
