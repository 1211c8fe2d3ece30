"""The criterion for a painting: the perceptual loss, its style terms in units that suit every painting.

Style distances of unmodified photos, relative to the painting's norm, range from 1 (a woodcut of strong contrasts) to
180 (an evenly lit wall), so that no single style weight fits all paintings. The unit is the square root of that
distance: the geometric mean of the painting's measure and the photos'.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.terms import LOSS_TERMS, StepContext
from stylenet.losses.vgg import VGGFeatures

SMALLEST = 1e-4  # of a painting that the photos look like already


def criterion_for(
    vgg: VGGFeatures, painting: Float[Tensor, "1 3 h w"], settings: LossSettings, photos: Float[Tensor, "n 3 s s"]
) -> PerceptualLoss:
    """The painting's criterion, on its device; `photos` in [0, 1] measure its units. `johnson` keeps the paper's."""
    criterion = PerceptualLoss(vgg, painting, settings)
    measure_units(criterion, (photo_context(criterion, photo[None]) for photo in photos.to(painting.device)))
    return criterion


@torch.no_grad()
def measure_units(criterion: PerceptualLoss, steps: Iterable[StepContext]) -> None:
    """Sets the units of the terms from photos as they are. Style has one even without a weight: it is always judged."""
    names = [name for name, term in LOSS_TERMS.items() if term.in_units and name in {"style", *criterion.terms}]
    if criterion.settings.form == "scale_free":
        each = [[criterion.value(name, step) for name in names] for step in steps]
        for name, values in zip(names, zip(*each, strict=True), strict=True):
            criterion.get_buffer(f"{name}_unit").copy_(torch.stack(values).mean().clamp_min(SMALLEST).sqrt())


@torch.no_grad()
def photo_context(criterion: PerceptualLoss, photo: Float[Tensor, "1 3 h w"]) -> StepContext:
    """A photo as it is, in place of what was stylized: its features are the references as well."""
    features = criterion.features(photo)
    at_scale = features[criterion.content_scale(photo)]
    return StepContext(criterion, photo, photo, features, {name: at_scale[name] for name in criterion.content_weights})
