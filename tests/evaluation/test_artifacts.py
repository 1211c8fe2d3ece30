"""Each measure on a picture that has the fault, and on those that have not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylenet.evaluation.artifacts import Artifacts, artifacts, complaints


def strokes(side: int = 240, seed: int = 0) -> torch.Tensor:
    """Something like a painted photo: soft shapes and lively texture of several px."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, 3, side // 20, side // 20, generator=generator)
    fine = torch.rand(2, 3, side // 3, side // 3, generator=generator)
    enlarge = torch.nn.functional.interpolate
    shapes = enlarge(coarse, size=(side, side), mode="bicubic", antialias=False)
    return (0.7 * shapes + 0.3 * enlarge(fine, size=(side, side), mode="bicubic")).clamp(0, 1)


def named(found: Artifacts) -> list[str]:
    return list(complaints(found))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50))
def test_lively_pictures_have_no_complaints(seed: int) -> None:
    assert named(artifacts(strokes(), strokes(seed=seed))) == []


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("direction", ["across", "down", "both"])
def test_a_grid_of_the_networks_stride_is_found(period: int, direction: str) -> None:
    picture = strokes()
    line = 0.08 * (torch.arange(240) % period < period // 2)
    picture = picture + (line if direction != "down" else 0) + (line[:, None] if direction != "across" else 0)
    assert "grid" in named(artifacts(strokes(), picture))


def test_a_grid_that_changes_color_from_place_to_place_is_found() -> None:
    line = 0.08 * (torch.arange(240) % 4 < 2).float() - 0.04
    sign = torch.ones(2, 3, 240, 240)
    sign[..., 120:] = -1
    assert "grid" in named(artifacts(strokes(), strokes() + sign * line[:, None]))


def test_a_grid_is_measured_in_its_own_unit() -> None:
    line = 10 / 255 * (2.0 * (torch.arange(240) % 2) - 1)
    flat = torch.full((1, 3, 240, 240), 0.5)
    assert artifacts(flat, flat + line).grid == pytest.approx(10, rel=0.05)


def test_stripes_of_another_period_are_no_grid() -> None:
    line = 0.1 * torch.sin(torch.arange(240) * 2 * torch.pi / 7.3)
    assert artifacts(strokes(), strokes() + line).grid < 1


def test_a_gray_output_is_dead() -> None:
    assert "contrast" in named(artifacts(strokes(), 0.5 + 0.02 * strokes()))


def test_flat_patches_in_lively_places_are_blobs() -> None:
    picture = strokes()
    picture[..., 32:160, 32:160] = 1.0
    assert "blobs" in named(artifacts(strokes(), picture))


def test_a_frame_is_found_unless_the_photo_has_it() -> None:
    framed = strokes()
    framed[..., :4, :] = framed[..., -4:, :] = 0
    framed[..., :4] = framed[..., -4:] = 0
    assert "frame" in named(artifacts(strokes(), framed))
    assert "frame" not in named(artifacts(framed, framed))


def test_a_single_nan_is_told() -> None:
    picture = strokes()
    picture[0, 0, 0, 0] = float("nan")
    assert "not_finite" in named(artifacts(strokes(), picture))
