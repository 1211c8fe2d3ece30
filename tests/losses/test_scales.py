"""Style at several sizes and in tiles, balanced distances, tone: against numbers worked out by hand or by NumPy."""

import numpy as np
import pytest
import torch

from stylenet.errors import UserError
from stylenet.losses.measures import balanced_distance, detail, split_into_tiles, squared_distance, tone_distance
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures
from stylenet.media.lab import raise_lightness, rgb_to_lab, with_chroma


def settings(**changes: object) -> LossSettings:
    values = {
        "content_layers": ["relu2_2"],
        "style_layers": ["relu1_1", "relu2_1"],
        "weights": {"style": 1.0},
        **changes,
    }
    return LossSettings(**values)  # type: ignore[arg-type]


def pictures(number: int, side: int = 24, seed: int = 0) -> torch.Tensor:
    return torch.rand(number, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_half_a_vector_is_as_far_away_as_twice_the_vector() -> None:
    reference = pictures(1)
    assert balanced_distance(0.5 * reference, reference).item() == pytest.approx(0.5)  # 1/4 over 1/2
    assert balanced_distance(2 * reference, reference).item() == pytest.approx(0.5)  # 1 over 2
    assert balanced_distance(0 * reference, reference).item() == pytest.approx(5)  # 1 over the shortest length


def test_where_the_direction_is_wrong_the_right_length_is_nearest_when_balanced_and_a_shorter_one_is_not() -> None:
    reference, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    lengths = (0.6, 0.8, 1.0, 1.2)
    plain, balanced = (
        [f(length * wrong, reference).item() for length in lengths] for f in (squared_distance, balanced_distance)
    )
    assert lengths[int(np.argmin(plain))] == 0.6
    assert lengths[int(np.argmin(balanced))] == 1.0


def test_tone_is_the_correlation_of_large_squares() -> None:
    photo = pictures(1, side=64)
    light = (photo * torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)).sum(1).numpy().astype(np.float64)[0]
    other = pictures(1, side=64, seed=1)
    own = (other * torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)).sum(1).numpy().astype(np.float64)[0]
    squares = [x.reshape(8, 8, 8, 8).mean((1, 3)).ravel() for x in (light, own)]
    spread = [max(x.var(), 1e-4) for x in squares]
    expected = 1 - np.mean((squares[0] - squares[0].mean()) * (squares[1] - squares[1].mean())) / np.sqrt(
        spread[0] * spread[1]
    )
    assert tone_distance(other, photo).item() == pytest.approx(expected, rel=1e-4)


def test_a_negative_is_two_away_in_tone_and_a_paler_photo_none() -> None:
    photo = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    assert tone_distance(1 - photo, photo).item() == pytest.approx(2, abs=1e-4)
    assert tone_distance(0.3 + 0.4 * photo, photo).item() == pytest.approx(0, abs=1e-4)
    assert tone_distance(photo, torch.full_like(photo, 0.5)).item() == pytest.approx(1)


def test_detail_is_none_in_a_flat_area_and_much_at_edges() -> None:
    photo = torch.full((1, 3, 64, 96), 0.5)
    photo[..., 64:] = (torch.arange(32) // 2 % 2).float()  # stripes of 2 px
    found = detail(photo)
    assert found.shape == (1, 1, 64, 96)
    assert found[..., :48].max().item() == pytest.approx(0, abs=1e-5)
    assert found[..., 76:].min().item() > 0.85


def test_content_in_flat_areas_counts_as_little_as_the_setting_says(tiny_vgg: VGGFeatures) -> None:
    photo, painting = torch.full((1, 3, 64, 64), 0.5), pictures(1, side=64)
    stylized = 0.5 + 0.3 * (pictures(1, side=64, seed=1) - 0.5)
    whole, tenth, none = (
        PerceptualLoss(tiny_vgg, painting, settings(weights={"content": 1.0}, flat_content=flat))(stylized, photo)
        for flat in (1.0, 0.1, 0.0)
    )
    assert tenth["content"].item() == pytest.approx(0.1 * whole["content"].item(), rel=1e-4)
    assert none["content"].item() == pytest.approx(0, abs=1e-6)
    edges = (pictures(1, side=64, seed=2) > 0.5).float()
    weighted, all_ = (
        PerceptualLoss(tiny_vgg, painting, settings(weights={"content": 1.0}, flat_content=flat))(stylized, edges)
        for flat in (0.0, 1.0)
    )
    assert 0.8 < weighted["content"].item() / all_["content"].item() < 1


def test_chroma_is_of_the_painting_that_is_learned_from(tiny_vgg: VGGFeatures) -> None:
    painting, photo = 0.4 + 0.2 * pictures(1, side=64), pictures(1, side=64, seed=2)
    more = PerceptualLoss(tiny_vgg, painting, settings(chroma=1.5))
    by_hand = PerceptualLoss(tiny_vgg, with_chroma(painting, 1.5), settings())
    assert more(photo, photo)["style"].item() == by_hand(photo, photo)["style"].item()
    lab, colorful = rgb_to_lab(painting), rgb_to_lab(with_chroma(painting, 1.5))
    torch.testing.assert_close(colorful[:, 0], lab[:, 0], rtol=0, atol=0.05)
    torch.testing.assert_close(colorful[:, 1:], 1.5 * lab[:, 1:], rtol=0, atol=0.1)


def test_a_dull_painting_is_learned_from_as_a_lighter_one(tiny_vgg: VGGFeatures) -> None:
    painting, photo = 0.1 + 0.3 * pictures(1, side=64), pictures(1, side=64, seed=2)
    more = PerceptualLoss(tiny_vgg, painting, settings(lightness=1.3))
    by_hand = PerceptualLoss(tiny_vgg, raise_lightness(painting, 1.3), settings())
    assert more(photo, photo)["style"].item() == by_hand(photo, photo)["style"].item()
    lab, lighter = rgb_to_lab(painting), rgb_to_lab(raise_lightness(painting, 1.3))
    torch.testing.assert_close(lighter[:, 0], 1.3 * lab[:, 0], rtol=0, atol=0.5)
    torch.testing.assert_close(lighter[:, 1:], lab[:, 1:], rtol=0, atol=1.0)


def test_a_painting_with_bright_highlights_stays_as_it_is() -> None:
    gray = torch.full((1, 3, 10, 20), 0.5)
    gray[..., :2, :2] = 1  # 2 % of the pixels
    torch.testing.assert_close(raise_lightness(gray, 1.3), gray, rtol=0, atol=1e-4)
    assert raise_lightness(gray, 1.0) is gray
    one_white = torch.full((1, 3, 10, 20), 0.5)
    one_white[..., 0, 0] = 1  # less than a hundredth
    assert raise_lightness(one_white, 1.3)[0, 0, 5, 5] > 0.6
    black = torch.zeros(1, 3, 4, 4)
    torch.testing.assert_close(raise_lightness(black, 1.3), black, rtol=0, atol=1e-6)


def test_tiles_are_the_parts_of_a_image_row_by_row() -> None:
    image = torch.arange(25.0).view(1, 1, 5, 5)  # the last row and column are left off
    assert split_into_tiles(image, 2)[:, 0].tolist() == [
        [[0, 1], [5, 6]],
        [[2, 3], [7, 8]],
        [[10, 11], [15, 16]],
        [[12, 13], [17, 18]],
    ]
    assert split_into_tiles(image, 1) is image


@pytest.mark.parametrize("sliced_weight", [0.0, 1.0])
def test_a_image_with_all_its_style_in_one_half_is_further_away_by_tiles(
    tiny_vgg: VGGFeatures, sliced_weight: float
) -> None:
    painting = pictures(1, side=64, seed=1)
    half = painting.clone()
    half[..., :32] = 0.5
    whole, parts = (
        PerceptualLoss(tiny_vgg, painting, settings(style_tile=tile, weights={"style": 1.0, "sliced": sliced_weight}))(
            half, half
        )
        for tile in (0, 32)
    )
    assert parts["style"] > 1.1 * whole["style"]
    if sliced_weight:
        assert parts["sliced"] > 1.1 * whole["sliced"]


def test_at_half_the_size_only_what_is_left_of_a_image_there_counts(tiny_vgg: VGGFeatures) -> None:
    small = pictures(1, side=32, seed=1)
    painting = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    signs = torch.tensor([[0.2, -0.2], [-0.2, 0.2]]).repeat(32, 32)
    hatched = 0.4 + 0.2 * painting
    painting, hatched = hatched, hatched + signs  # the same means over squares of 2 px
    at_half, at_both = (
        PerceptualLoss(tiny_vgg, painting, settings(style_scales=scales))(hatched, hatched) for scales in ([2], [1, 2])
    )
    assert at_half["style"].item() == pytest.approx(0, abs=1e-6)
    assert at_both["style"].item() > 0.1


def test_style_over_scales_is_their_mean(tiny_vgg: VGGFeatures) -> None:
    painting, photo = pictures(1, side=64, seed=1), pictures(1, side=64, seed=2)
    one, two, both = (
        PerceptualLoss(tiny_vgg, painting, settings(style_scales=scales))(photo, photo)["style"].item()
        for scales in ([1], [2], [1, 2])
    )
    assert both == pytest.approx((one + two) / 2, rel=1e-5)


def test_a_scale_at_which_a_image_vanishes_is_left_out(tiny_vgg: VGGFeatures) -> None:
    painting, photo = pictures(1, side=64, seed=1), pictures(1, side=24, seed=2)
    small, all_ = (
        PerceptualLoss(tiny_vgg, painting, settings(style_scales=scales, content_scale=2))(photo, photo)
        for scales in ([1], [1, 2, 4])
    )
    assert all_["style"].item() == pytest.approx(small["style"].item())


def test_full_size_layers_are_those_at_full_size(tiny_vgg: VGGFeatures) -> None:
    painting, photo = pictures(1, side=64, seed=1), pictures(1, side=64, seed=2)
    fewer, by_name = (
        PerceptualLoss(tiny_vgg, painting, chosen)(photo, photo)["style"].item()
        for chosen in (settings(style_layers=["relu1_1"]), settings(full_size_layers=["relu1_1"]))
    )
    assert fewer == pytest.approx(by_name)


def test_the_sliced_terms_directions_are_the_steps(tiny_vgg: VGGFeatures) -> None:
    painting, photo = pictures(1, side=64, seed=1), 0.3 * pictures(1, side=64, seed=2)
    criterion = PerceptualLoss(tiny_vgg, painting, settings(weights={"style": 1.0, "sliced": 1.0}))
    first, again, next_ = (criterion(photo, photo, number=number) for number in (3, 3, 4))
    assert first["sliced"].item() == again["sliced"].item() != next_["sliced"].item()
    assert first["style"].item() == next_["style"].item()
    assert criterion(painting, photo)["sliced"].item() < 0.1 * first["sliced"].item()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"weights": {"sliced": -1.0}}, "loss.weights.sliced"),
        ({"weights": {"tone": float("inf")}}, "loss.weights.tone"),
        ({"style_scales": []}, "loss.style_scales"),
        ({"style_scales": [1, 1]}, "loss.style_scales"),
        ({"style_scales": [0, 1]}, "loss.style_scales"),
        ({"content_scale": 0}, "loss.content_scale"),
        ({"style_tile": -1}, "loss.style_tile"),
        ({"flat_content": 1.5}, "loss.flat_content"),
        ({"chroma": -1.0}, "loss.chroma"),
        ({"lightness": 0.9}, "loss.lightness"),
        ({"lightness": float("nan")}, "loss.lightness"),
    ],
)
def test_settings_that_mean_nothing_are_named(changes: dict[str, object], name: str) -> None:
    with pytest.raises(UserError, match=name):
        settings(**changes)


def test_a_card_without_the_later_settings_means_the_whole_image_at_full_size() -> None:
    old = LossSettings.from_card({"content_layers": ["relu2_2"], "style_layers": ["relu1_2"], "style_weight": 12.0})
    assert (old.content_scale, old.style_scales, old.style_tile, old.balanced) == (1, [1], 0, False)
    assert (old.flat_content, old.chroma, old.lightness) == (1, 1, 1)
    assert old.weights == {"style": 12.0}
