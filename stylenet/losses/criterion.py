"""The criterion that a painting is learned by: the perceptual loss, its style term in a unit that suits every painting.

Relative to the painting's own norm, an untouched photo is 1 away from a woodcut of strong contrasts and 180 away from a
photo of an evenly lit wall, so that one style weight would do next to nothing for the one and leave no photo for the
other. The unit is the square root of that distance: the geometric mean of the painting's measure and the photos'.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.data import held_out_photos
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures

SIZE = 256  # pixels
SMALLEST = 1e-4  # of a painting that the photos look like already
EVERY = 2  # of the built-in held-out photos: eight


def criterion_for(vgg: VGGFeatures, painting: Float[Tensor, "1 3 h w"], settings: LossSettings) -> PerceptualLoss:
    """The painting's criterion, on its device. `johnson` stays in the paper's units."""
    criterion = PerceptualLoss(vgg, painting, settings)
    if settings.form == "scale_free":
        photos = held_out_photos(SIZE)[0][::EVERY].float().to(painting.device) / 255
        criterion.style_unit.copy_(untouched(criterion, photos).clamp_min(SMALLEST).sqrt())
    return criterion


@torch.inference_mode()
def untouched(criterion: PerceptualLoss, photos: Float[Tensor, "n 3 h w"]) -> Float[Tensor, ""]:
    """The mean style loss of the photos as they are."""
    return torch.stack([criterion(photo[None], photo[None]).style for photo in photos]).mean()
