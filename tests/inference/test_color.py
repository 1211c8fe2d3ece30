"""Colors: Lab against the formulas of the CIE, and palettes whose map is known by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stylenet.inference.color import (
    Palette,
    apply_color_map,
    fit_color_map,
    keep_colors,
    lab_to_rgb,
    luma,
    palette_of,
    rgb_to_lab,
)


def picture(color: tuple[float, ...], height: int = 2, width: int = 3) -> torch.Tensor:
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, height, width)


def noise(seed: int, low: float = 0.3, high: float = 0.7, size: tuple[int, int] = (40, 50)) -> torch.Tensor:
    return low + (high - low) * torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def cie_lab(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """L*, a* and b* as CIE 15 and IEC 61966-2-1 write them, in double precision."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue))
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.0890
    fx, fy, fz = (np.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize(
    ("color", "lab"),
    [  # as color tables have them
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_the_corners_of_srgb_have_their_known_lab(color: tuple[float, ...], lab: tuple[float, ...]) -> None:
    found = rgb_to_lab(picture(tuple(map(float, color))))[0, :, 0, 0]
    np.testing.assert_allclose(found, lab, atol=0.03)


channel = st.floats(0, 1, width=32)


@given(channel, channel, channel)
def test_lab_is_the_cies_and_leads_back(red: float, green: float, blue: float) -> None:
    lab = rgb_to_lab(picture((red, green, blue)))
    np.testing.assert_allclose(lab[0, :, 1, 2], cie_lab(red, green, blue), atol=2e-3)
    np.testing.assert_allclose(lab_to_rgb(lab)[0, :, 1, 2], (red, green, blue), atol=2e-4)


def test_luma_weighs_green_most() -> None:
    assert luma(picture((1.0, 0.0, 0.5)))[0, 0, 0, 0].item() == pytest.approx(0.2126 + 0.0361)


def test_kept_colors_are_the_photos_and_the_luminance_is_the_styles() -> None:
    photo, stylized = noise(0, 0.4, 0.6), noise(1, 0.4, 0.6)
    kept = rgb_to_lab(keep_colors(photo, stylized))
    torch.testing.assert_close(kept[:, :1], rgb_to_lab(stylized)[:, :1], atol=0.01, rtol=0)
    torch.testing.assert_close(kept[:, 1:], rgb_to_lab(photo)[:, 1:], atol=0.01, rtol=0)


def test_a_gray_photo_keeps_its_lack_of_colors() -> None:
    kept = keep_colors(picture((0.5, 0.5, 0.5)), picture((0.1, 0.2, 0.8)))
    torch.testing.assert_close(kept.amax(1), kept.amin(1), atol=1e-5, rtol=0)


def test_a_matched_picture_has_the_photos_palette() -> None:
    # Two materials of different spread and hue; contrasts so low that no color is clipped.
    weights = torch.tensor([[0.5, 0.3, 0.0], [0.0, 0.4, 0.2], [0.3, 0.0, 0.6]])
    photo = 0.2 + 0.5 * torch.einsum("ij,bjhw->bihw", weights, noise(0))
    stylized = noise(1, 0.2, 0.8)
    wanted = palette_of(photo)
    matched = palette_of(apply_color_map(stylized, fit_color_map(palette_of(stylized), wanted)))
    np.testing.assert_allclose(matched.mean, wanted.mean, atol=0.01)
    np.testing.assert_allclose(matched.covariance.numpy(), wanted.covariance.numpy(), atol=1)


def test_a_palette_is_mean_and_covariance_of_each_picture() -> None:
    pictures = torch.cat([noise(0), noise(1, 0.0, 0.4)])
    palette = palette_of(pictures)
    for number, one in enumerate(pictures):
        colors = rgb_to_lab(one[None])[0].flatten(1).double().numpy()
        np.testing.assert_allclose(palette.mean[number], colors.mean(1), atol=1e-4)
        np.testing.assert_allclose(palette.covariance[number], np.cov(colors, bias=True), atol=2e-3)


def palette(mean: tuple[float, float, float], *variances: float) -> Palette:
    return Palette(
        torch.tensor([mean], dtype=torch.float64), torch.diag(torch.tensor(variances, dtype=torch.float64))[None]
    )


def test_the_map_of_independent_channels_is_the_ratio_of_their_spreads() -> None:
    # Variances of 63 and 143 become 64 and 144 by the 1² that nobody sees: a ratio of spreads of 1.5.
    found = fit_color_map(palette((50, 0, 0), 63, 0, 5), palette((60, 10, -5), 143, 0, 5))
    np.testing.assert_allclose(found.matrix[0], np.diag([1.5, 1.0, 1.0]), atol=1e-9)
    np.testing.assert_allclose(found.shift[0], [60 - 1.5 * 50, 10, -5], atol=1e-9)


def test_no_palette_is_spread_to_more_than_twice_its_width() -> None:
    found = fit_color_map(palette((50, 0, 0), 15, 0, 5), palette((60, 10, -5), 143, 0, 5))  # 3 times as wide
    np.testing.assert_allclose(found.matrix[0], np.diag([2.0, 1.0, 1.0]), atol=1e-9)
    np.testing.assert_allclose(found.shift[0], [60 - 2 * 50, 10, -5], atol=1e-9)


def test_the_map_of_mixed_channels_is_symmetric_and_carries_one_covariance_into_the_other() -> None:
    draw = np.random.default_rng(0)
    source, target = (
        Palette(torch.zeros(1, 3).double(), torch.from_numpy(a @ a.mT)) for a in draw.random((2, 1, 3, 3))
    )
    matrix = fit_color_map(source, target).matrix[0].numpy()
    before, after = (one.covariance[0].numpy() + np.eye(3) for one in (source, target))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
    np.testing.assert_allclose(matrix @ before @ matrix, after)


def test_a_picture_matched_with_itself_stays_as_it_is() -> None:
    photo = noise(0, 0.0, 1.0)
    own = palette_of(photo)
    torch.testing.assert_close(apply_color_map(photo, fit_color_map(own, own)), photo, atol=1e-3, rtol=0)


@pytest.mark.parametrize("flat", [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)])
def test_flat_pictures_match_without_noise_or_nonsense(flat: tuple[float, float, float]) -> None:
    photo, colors = noise(0), picture(flat, 40, 50)
    to_photo = apply_color_map(colors, fit_color_map(palette_of(colors), palette_of(photo)))
    assert to_photo.std((2, 3)).max() < 1e-3
    torch.testing.assert_close(to_photo.mean((2, 3)), photo.mean((2, 3)), atol=0.05, rtol=0)
    to_flat = apply_color_map(photo, fit_color_map(palette_of(photo), palette_of(colors)))
    torch.testing.assert_close(to_flat, colors, atol=0.12, rtol=0)
