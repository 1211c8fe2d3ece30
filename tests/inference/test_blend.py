"""Several styles at once: their mean, a side of the mask each, and weights as they are typed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylenet import Blend, Brush, Stylizer
from stylenet.errors import UserError
from stylenet.models.catalog import StyleReference, find_weighted_style
from stylenet.models.dilated import DilatedNet
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1)


def style(seed: int) -> Stylizer:
    return Stylizer(initialize(TransformerNet(TINY), seed), Card("tiny", TINY), "cpu", torch.float32)


FIRST, SECOND, THIRD = style(0), style(1), style(2)
EVEN = [(FIRST, 1.0), (SECOND, 1.0)]


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).random((20, 24, 3), np.float32)


@pytest.mark.parametrize("weights", [(0.7, 0.3), (7.0, 3.0)])
def test_a_blend_is_the_weighted_mean_of_the_pictures(photo: np.ndarray, weights: tuple[float, float]) -> None:
    blended = Blend([(FIRST, weights[0]), (SECOND, weights[1])]).stylize(photo)
    expected = 0.7 * FIRST.stylize(photo) + 0.3 * SECOND.stylize(photo)
    assert np.abs(FIRST.stylize(photo) - SECOND.stylize(photo)).max() > 0.05
    np.testing.assert_allclose(blended, expected, atol=1e-6)


def test_two_styles_take_the_white_and_the_black_side(photo: np.ndarray) -> None:
    mask = np.zeros((20, 24), np.float32)
    mask[:, :8], mask[:, 8:16] = 1, 0.25
    white, black = FIRST.stylize(photo), SECOND.stylize(photo)
    blended = Blend(EVEN).stylize(photo, mask=mask)
    np.testing.assert_allclose(blended[:, :8], white[:, :8], atol=1e-6)
    np.testing.assert_allclose(blended[:, 8:16], (0.25 * white + 0.75 * black)[:, 8:16], atol=1e-6)
    np.testing.assert_allclose(blended[:, 16:], black[:, 16:], atol=1e-6)


def test_the_blend_of_three_leaves_the_photo_where_the_mask_is_black(photo: np.ndarray) -> None:
    blend = Blend([*EVEN, (THIRD, 1.0)])
    masked = blend.stylize(photo, mask=np.eye(20, 24, dtype=bool))
    np.testing.assert_array_equal(masked[np.eye(20, 24) == 0], photo[np.eye(20, 24) == 0])
    np.testing.assert_array_equal(masked[np.eye(20, 24) == 1], blend.stylize(photo)[np.eye(20, 24) == 1])


def test_the_brush_comes_after_the_mixing(photo: np.ndarray) -> None:
    mask = np.tile(np.linspace(0, 1, 24, dtype=np.float32), (20, 1))
    sides = mask[..., None] * FIRST.stylize(photo) + (1 - mask[..., None]) * SECOND.stylize(photo)
    found = Blend(EVEN).stylize(photo, Brush(strength=0.5), mask)
    np.testing.assert_allclose(found, (photo + sides) / 2, atol=1e-6)


def test_a_blend_can_be_blended_again(photo: np.ndarray) -> None:
    nested = Blend([(Blend(EVEN), 2.0), (THIRD, 1.0)]).stylize(photo)
    np.testing.assert_allclose(nested, Blend([*EVEN, (THIRD, 1.0)]).stylize(photo), atol=1e-6)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([], "a blend needs at least one style"),
        ([0.7], "the weight 0.7 needs a second style; strength fades a single one"),
        ([1.0, 0.0], "a style's weight must be a number above 0, got 0"),
        ([1.0, -2.0], "a style's weight must be a number above 0, got -2"),
        ([1e308, 1e308], "the weights of the styles are too large: their sum is not a finite number"),
        ([float("nan"), 1.0], "a style's weight must be a number above 0, got nan"),
        ([1.0, float("inf")], "a style's weight must be a number above 0, got inf"),
    ],
)
def test_weights_without_a_meaning_are_refused(weights: list[float], reason: str) -> None:
    with pytest.raises(UserError) as caught:
        Blend([(FIRST, weight) for weight in weights])
    assert str(caught.value) == reason


def test_weights_have_no_say_beside_a_mask(photo: np.ndarray) -> None:
    with pytest.raises(UserError, match="remove the weights: with a mask, two styles use its white and black areas"):
        Blend([(FIRST, 0.7), (SECOND, 0.3)]).stylize(photo, mask=np.ones((2, 2)))


@pytest.mark.parametrize(
    ("text", "file", "weight"),
    [
        ("night", "checkpoints/night.safetensors", 1),
        ("night:0.7", "checkpoints/night.safetensors", 0.7),
        ("night:.5", "checkpoints/night.safetensors", 0.5),
        ("night:-1", "checkpoints/night.safetensors", -1),
        ("ratio 3:4", "checkpoints/ratio 3:4.safetensors", 1),
        ("ratio 3:4:2", "checkpoints/ratio 3:4.safetensors", 2),
        ("own.safetensors:2", "own.safetensors", 2),
        (r"C:\styles\wave.safetensors", r"C:\styles\wave.safetensors", 1),
        (r"C:\styles\wave.safetensors:0.3", r"C:\styles\wave.safetensors", 0.3),
        ("odd:0.5", "odd:0.5", 1),
        ("odd:0.5:3", "odd:0.5", 3),
    ],
)
def test_a_weight_is_a_number_behind_the_last_colon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, file: str, weight: float
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    names = ["checkpoints/night.safetensors", "checkpoints/ratio 3:4.safetensors", "own.safetensors"]
    for name in [*names, r"C:\styles\wave.safetensors", "odd", "odd:0.5"]:
        (tmp_path / name).touch()
    assert find_weighted_style(text) == (StyleReference(Path(file)), weight)


@pytest.mark.parametrize("text", ["nope:0.5", "nope:a", "nope:"])
def test_an_unknown_style_with_a_weight_is_unknown(text: str) -> None:
    with pytest.raises(UserError, match="there is no style nope"):
        find_weighted_style(text)


def test_a_blend_of_dilated_networks_in_one_pass_stays_dilated(photo: np.ndarray) -> None:
    settings = replace(TINY, architecture="dilated")
    one = Stylizer(initialize(DilatedNet(settings), 0), Card("one", settings), "cpu", torch.float32)
    twice = Blend([(one, 1.0), (one, 1.0)])
    np.testing.assert_allclose(twice.stylize(photo), one.stylize(photo), atol=1e-6)
