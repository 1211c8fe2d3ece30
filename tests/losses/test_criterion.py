"""The unit of the style term."""

import pytest
import torch
from test_perceptual import pictures

from stylenet.data import unit_photos
from stylenet.losses.criterion import criterion_for, photo_context
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures


def settings(form: str) -> LossSettings:
    return LossSettings(["relu2_1"], ["relu1_1", "relu2_1"], form=form)


def style_of_photos(criterion: PerceptualLoss, photos: torch.Tensor) -> torch.Tensor:
    return torch.stack([criterion.value("style", photo_context(criterion, photo[None])) for photo in photos]).mean()


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_untouched_photos_are_the_root_of_their_distance_from_the_painting(
    tiny_vgg: VGGFeatures, strength: float
) -> None:
    painting = strength * pictures(1, seed=1)
    photos = unit_photos()
    plainly = style_of_photos(PerceptualLoss(tiny_vgg, painting, settings("scale_free")), photos)
    in_units = style_of_photos(criterion_for(tiny_vgg, painting, settings("scale_free"), photos), photos)
    torch.testing.assert_close(in_units, plainly.sqrt())


def test_the_papers_terms_stay_in_its_units(tiny_vgg: VGGFeatures) -> None:
    criterion = criterion_for(tiny_vgg, pictures(1, seed=1), settings("johnson"), unit_photos())
    assert criterion.style_unit == 1
