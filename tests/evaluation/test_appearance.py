"""Appearance figures against values worked out by hand or by NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stylenet.evaluation.appearance import (
    Appearance,
    PaintingFigures,
    appearance,
    bands,
    block_deviations,
    sliced_wasserstein,
)


def noise(side: int = 128, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def features_of(image: Tensor) -> dict[str, Tensor]:
    return {"relu1_1": torch.cat([image, image.square()], dim=1)}


def compared(image: Tensor, painting: Tensor) -> Appearance:
    return appearance(image, PaintingFigures(painting), features_of(image), features_of(painting))


def test_the_painting_itself_has_ratios_of_one_and_distances_of_zero() -> None:
    found = compared(noise(), noise())
    assert (found.chroma, found.contrast_ratio, found.texture) == (1, 1, 1)
    assert found.bands == (1, 1, 1, 1, 1)
    assert found.coarse == 1
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
    assert (found.chroma, found.contrast_ratio, found.texture) == (None, None, None)
    assert found.bands == (None,) * 5
    assert found.coarse is None
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


def numpy_lab(image: np.ndarray) -> np.ndarray:
    """CIE Lab of sRGB (3 h w) by the constants of IEC 61966-2-1 and D65."""
    linear = np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = np.einsum("ij,jhw->ihw", matrix, linear) / np.array([0.95047, 1, 1.08883])[:, None, None]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def numpy_figures(image: np.ndarray) -> list[float]:
    lab = numpy_lab(image)
    blocks = lab[0].reshape(len(lab[0]) // 16, 16, -1, 16).transpose(0, 2, 1, 3).reshape(-1, 256)
    finest = lab[0].reshape(len(lab[0]) // 2, 2, -1, 2).mean((1, 3))
    padded = np.pad(finest, 1, mode="edge")
    rows = np.stack([padded[:-2] + 3 * padded[1:-1], 3 * padded[1:-1] + padded[2:]], 1).reshape(-1, padded.shape[1]) / 4
    whole = np.stack([rows[:, :-2] + 3 * rows[:, 1:-1], 3 * rows[:, 1:-1] + rows[:, 2:]], 2).reshape(len(rows), -1) / 4
    squares = ((lab[0] - whole) ** 2).reshape(len(whole) // 64, 64, -1, 64).mean((1, 3))
    middle = np.sort(np.sqrt(squares).ravel())[(squares.size - 1) // 2]
    deviations = np.sort(blocks.std(1, ddof=1))
    return [np.hypot(*lab[1:]).mean(), lab[0].std(), deviations[(len(deviations) - 1) // 2], middle]


def test_ratios_are_those_of_numpy() -> None:
    image, painting = 0.3 * noise(128, 1) + 0.2, noise(192, 2) ** 2
    own, target = (numpy_figures(x[0].double().numpy()) for x in (image, painting))
    found = compared(image, painting)
    expected = [a / b for a, b in zip(own, target, strict=True)]
    assert [found.chroma, found.contrast_ratio, found.texture, found.bands[0]] == pytest.approx(expected, abs=2e-3)


def test_half_precision_of_the_surroundings_does_not_reach_the_figures() -> None:
    painting, image = PaintingFigures(noise()), noise(seed=1)
    expected = painting.compare(image)
    with torch.autocast("cpu", torch.bfloat16):
        assert painting.compare(image) == expected
