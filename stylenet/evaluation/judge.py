"""An independent judge: how much of the painting's style an image has, by a network that no training optimized.

Squared distance of Gram matrices (around zero; VGG16 with torchvision's weights, the layers of Johnson et al.), each
over the painting's own squared norm, averaged over the layers; over the same for the photo itself. 0 is the
painting, 1 the photo. A network's own criterion flatters it; by this one, tools can be compared.
"""

from statistics import fmean

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.evaluation.held_out import NO_DISTANCE
from stylenet.losses.perceptual import gram_matrix, squared_distance
from stylenet.losses.vgg import VGGFeatures

ARCHITECTURE = "vgg16"
LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


@torch.inference_mode()
def style_ratio_vgg16(
    vgg: VGGFeatures,
    painting: Float[Tensor, "1 3 p q"],
    photos: Float[Tensor, "n 3 h w"],
    stylized: Float[Tensor, "n 3 h w"],
) -> float | None:
    """Mean over the photos of the style left to do, over that of the photo itself; None if one is the painting."""
    target = grams(vgg, painting)
    before = [distance(vgg, photo[None], target) for photo in photos]
    if min(before) < NO_DISTANCE:
        return None
    after = [distance(vgg, picture[None], target) for picture in stylized]
    return fmean(left / whole for left, whole in zip(after, before, strict=True))


def distance(vgg: VGGFeatures, picture: Float[Tensor, "1 3 h w"], target: list[Tensor]) -> float:
    pairs = zip(grams(vgg, picture), target, strict=True)
    return sum(float(squared_distance(own, wanted)) for own, wanted in pairs) / len(LAYERS)


def grams(vgg: VGGFeatures, picture: Float[Tensor, "1 3 h w"]) -> list[Float[Tensor, "1 c c"]]:
    features = vgg(picture, LAYERS)
    return [gram_matrix(features[layer]) for layer in LAYERS]
