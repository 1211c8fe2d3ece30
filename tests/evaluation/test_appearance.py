"""Appearance figures against values worked out by hand or by NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stylenet.evaluation.appearance import Appearance, appearance, bands, block_deviations, sliced_wasserstein


def noise(side: int = 128, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def features_of(image: Tensor) -> dict[str, Tensor]:
    return {"relu1_1": torch.cat([image, image.square()], dim=1)}


def compared(image: Tensor, painting: Tensor) -> Appearance:
    return appearance(image, painting, features_of(image), features_of(painting))


def test_the_painting_itself_has_ratios_of_one_and_distances_of_zero() -> None:
    found = compared(noise(), noise())
    assert (found.chroma, found.contrast, found.texture) == (1, 1, 1)
    assert found.bands == (1, 1, 1, 1, 1)
    assert (found.empty, found.color_sw, found.feature_sw) == (0, 0, 0)


def test_an_image_of_half_the_saturation_has_less_chroma_and_the_same_lightness_structure() -> None:
    painting = noise()
    gray = painting.mean(1, keepdim=True)
    found = compared(gray + 0.5 * (painting - gray), painting)
    assert found.chroma is not None
    assert 0.35 < found.chroma < 0.65
    assert found.color_sw > 1


def test_a_flat_half_is_counted_as_empty() -> None:
    image = noise()
    image[..., 64:] = 0.5
    assert compared(image, noise()).empty == pytest.approx(0.5)


def test_gray_and_smooth_paintings_give_no_ratio() -> None:
    gray = torch.full((1, 3, 128, 128), 0.5)
    found = compared(noise(), gray)
    assert (found.chroma, found.contrast, found.texture) == (None, None, None)
    assert found.bands == (None,) * 5
    assert found.empty == pytest.approx(-1)


def test_block_deviations_are_numpys() -> None:
    lightness = torch.arange(32.0 * 48).view(32, 48).sin() * 50
    expected = [
        [lightness[16 * row : 16 * row + 16, 16 * column : 16 * column + 16].numpy().std(ddof=1) for column in range(3)]
        for row in range(2)
    ]
    np.testing.assert_allclose(block_deviations(lightness).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("octave", range(5))
def test_stripes_are_found_in_the_octave_of_their_width(octave: int) -> None:
    stripes = (torch.arange(256) // 2**octave % 2).float() * 100
    found = torch.stack(bands(stripes.expand(256, 256)))
    assert int(found.argmax()) == octave


def test_the_distance_of_shifted_points_is_the_shift_along_random_directions() -> None:
    points = torch.randn(3, 5000, generator=torch.Generator().manual_seed(1))
    shift = torch.tensor([[3.0], [0.0], [0.0]])
    # The mean square of one coordinate of a random unit vector in three dimensions is 1/3.
    assert sliced_wasserstein(points, points + shift) == pytest.approx(3 / 3**0.5, rel=0.2)
