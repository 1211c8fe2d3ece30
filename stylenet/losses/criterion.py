"""The criterion for a painting: the perceptual loss, its style term in a unit that suits every painting.

Relative to the painting's own norm, a photo as it is is 1 away from a woodcut of strong contrasts and 180 away from a
photo of an evenly lit wall, so that one style weight would do next to nothing for the one and leave no photo for the
other. The unit is the square root of that distance: the geometric mean of the painting's measure and the photos'.
"""

from collections.abc import Collection

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.terms import LOSS_TERMS
from stylenet.losses.vgg import VGGFeatures

SMALLEST = 1e-4  # of a painting that the photos look like already


def criterion_for(
    vgg: VGGFeatures, painting: Float[Tensor, "1 3 h w"], settings: LossSettings, photos: Float[Tensor, "n 3 s s"]
) -> PerceptualLoss:
    """The painting's criterion, on its device; `photos` in [0, 1] measure its units. `johnson` keeps the paper's."""
    criterion = PerceptualLoss(vgg, painting, settings)
    if settings.form == "scale_free":
        measured = {name for name, term in LOSS_TERMS.items() if term.in_units and name in {"style", *criterion.terms}}
        for name, loss in photo_losses(criterion, photos.to(painting.device), measured).items():
            criterion.get_buffer(f"{name}_unit").copy_(loss.clamp_min(SMALLEST).sqrt())
    return criterion


@torch.inference_mode()
def photo_losses(
    criterion: PerceptualLoss, photos: Float[Tensor, "n 3 h w"], terms: Collection[str] = ("style",)
) -> dict[str, Float[Tensor, ""]]:
    """The mean losses of the photos as they are."""
    each = [criterion(photo[None], photo[None], terms) for photo in photos]
    return {name: torch.stack([losses[name] for losses in each]).mean() for name in terms}
