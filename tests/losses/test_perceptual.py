"""The criterion, against numbers worked out by hand or by NumPy in float64."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stylenet.errors import UserError
from stylenet.losses.measures import gram_matrix, squared_distance, total_variation
from stylenet.losses.perceptual import LossSettings, PerceptualLoss, check_terms, loss_preset
from stylenet.losses.terms import LOSS_TERMS, Term
from stylenet.losses.vgg import VGGFeatures

LAYERS = ["relu1_1", "relu2_1"]


def settings(**changes: object) -> LossSettings:
    values = {"content_layers": ["relu2_2"], "style_layers": LAYERS, **changes}
    return LossSettings(**values)  # type: ignore[arg-type]


def pictures(number: int, side: int = 24, seed: int = 0) -> torch.Tensor:
    return torch.rand(number, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_gram_is_the_mean_of_the_channels_products() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # two channels, one row of two
    assert gram_matrix(features).tolist() == [[[2.5, 5.5], [5.5, 12.5]]]


def test_gram_is_blind_to_where() -> None:
    features = torch.rand(2, 5, 6, 7)
    shuffled = features.flatten(2)[:, :, torch.randperm(42)].view_as(features)
    torch.testing.assert_close(gram_matrix(features), gram_matrix(shuffled))


@pytest.mark.parametrize(("dtype", "error"), [(torch.bfloat16, 2**-8), (torch.float16, 1e-4)])
def test_gram_of_short_floats_is_summed_in_long_ones(dtype: torch.dtype, error: float) -> None:
    features = torch.full((1, 1, 300, 300), 1.0078125, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        gram = gram_matrix(features)
    assert gram.dtype == torch.float32
    assert gram.item() == pytest.approx(1.0078125**2, rel=error)


def test_total_variation_of_a_step_is_its_height() -> None:
    image = torch.zeros(1, 3, 4, 2)
    image[..., 1] = 0.5
    assert total_variation(image).item() == pytest.approx(0.5)


def test_total_variation_agrees_with_numpy() -> None:
    images = pictures(2)
    values = images.numpy().astype(np.float64)
    expected = sum(np.abs(np.diff(values, axis=axis)).mean((1, 2, 3)) for axis in (2, 3))
    assert total_variation(images).tolist() == pytest.approx(expected, rel=1e-5)


def test_a_paler_picture_varies_no_less(tiny_vgg: VGGFeatures) -> None:
    criterion, stylized, photo = PerceptualLoss(tiny_vgg, pictures(1, seed=1), settings()), pictures(1), pictures(1)
    deviation = np.sqrt(stylized.numpy().astype(np.float64).var(axis=(2, 3)).mean())
    expected = total_variation(stylized).item() / deviation
    for picture in (stylized, 0.3 + 0.2 * stylized):
        assert criterion(picture, photo)["tv"].item() == pytest.approx(expected, rel=1e-3)


@given(st.floats(0.01, 100))
def test_a_ratio_does_not_depend_on_the_scale_of_the_features(scale: float) -> None:
    x, reference = pictures(2), pictures(2, seed=1)
    torch.testing.assert_close(
        squared_distance(scale * x, scale * reference), squared_distance(x, reference), rtol=1e-4, atol=0
    )


def test_distance_of_nothing_to_a_picture_is_one() -> None:
    assert squared_distance(torch.zeros(2, 3, 4, 4), pictures(2, 4)).item() == pytest.approx(1)


def test_a_photo_has_its_own_content_and_the_painting_its_own_style(tiny_vgg: VGGFeatures) -> None:
    painting, photo = pictures(1, seed=1), pictures(1, seed=2)
    criterion = PerceptualLoss(tiny_vgg, painting, settings())
    assert criterion(photo, photo)["content"].item() == 0
    assert criterion(painting, photo)["style"].item() == pytest.approx(0, abs=1e-10)
    assert criterion(painting, photo)["content"].item() > 0.01


def numpy_gram(features: torch.Tensor, center: torch.Tensor | None = None) -> np.ndarray:
    flat = features.numpy().astype(np.float64).reshape(features.shape[1], -1)
    if center is not None:
        flat = flat - center.numpy().astype(np.float64).reshape(features.shape[1], -1).mean(1, keepdims=True)
    return np.asarray(flat @ flat.T / flat.shape[1])


@pytest.mark.parametrize("form", ["scale_free", "johnson"])
def test_style_agrees_with_numpy(form: str, tiny_vgg: VGGFeatures) -> None:
    painting, photo = pictures(1, seed=1), pictures(1, seed=2)
    criterion = PerceptualLoss(tiny_vgg, painting, settings(form=form, style_layer_weights=[1.0, 3.0]))
    mine, its = tiny_vgg(photo, LAYERS), tiny_vgg(painting, LAYERS)
    expected = 0.0
    for layer, weight in (("relu1_1", 1), ("relu2_1", 3)):
        if form == "scale_free":
            gram, target = numpy_gram(mine[layer], its[layer]), numpy_gram(its[layer], its[layer])
            expected += weight / 4 * ((gram - target) ** 2).sum() / (target**2).sum()
        else:
            gram, target = numpy_gram(mine[layer]) / 4, numpy_gram(its[layer]) / 4  # four channels
            expected += weight * ((gram - target) ** 2).mean()
    assert criterion(photo, photo)["style"].item() == pytest.approx(expected, rel=1e-4)


def test_the_total_is_the_weighted_sum(tiny_vgg: VGGFeatures) -> None:
    chosen = settings(weights={"content": 2.0, "style": 3.0, "tv": 0.5})
    criterion = PerceptualLoss(tiny_vgg, pictures(1, seed=1), chosen)
    stylized, photos = pictures(2), pictures(2, seed=3)
    losses = criterion(stylized, photos)
    expected = 2 * losses["content"] + 3 * losses["style"] + 0.5 * losses["tv"]
    assert criterion.total(stylized, photos).item() == pytest.approx(expected.item())


def test_a_term_without_a_weight_is_not_computed(tiny_vgg: VGGFeatures) -> None:
    criterion = PerceptualLoss(tiny_vgg, pictures(1, seed=1), settings(weights={"style": 3.0, "tv": 0.0}))
    assert set(criterion(pictures(1), pictures(1))) == {"style"}
    assert set(criterion(pictures(1), pictures(1), ["content", "style"])) == {"content", "style"}


def test_the_stability_term_needs_the_network_and_is_taken_at_every_fourth_batch(tiny_vgg: VGGFeatures) -> None:
    criterion = PerceptualLoss(tiny_vgg, pictures(1, seed=1), settings(weights={"stability": 1.0, "tv": 1.0}))
    network, photos = torch.nn.Identity(), pictures(1)
    found = [set(criterion(photos, photos, network=network, number=number)) for number in range(5)]
    assert found == [{"tv", "stability"}, {"tv"}, {"tv"}, {"tv"}, {"tv", "stability"}]
    assert set(criterion(photos, photos)) == {"tv"}


def test_a_new_term_is_one_function_in_the_mapping(tiny_vgg: VGGFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSS_TERMS, "gray", Term(lambda step: step.stylized.mean() - step.photos.mean()))
    criterion = PerceptualLoss(tiny_vgg, pictures(1, seed=1), settings(weights={"gray": 2.0}))
    stylized, photos = torch.full((1, 3, 24, 24), 0.75), torch.full((1, 3, 24, 24), 0.5)
    assert criterion.total(stylized, photos).item() == pytest.approx(0.5)


def test_a_term_keeps_what_it_needs_of_the_painting(tiny_vgg: VGGFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = Term(
        lambda step: step.stylized.mean() - step.painting("gray", "mean"),
        prepare=lambda painting: {"mean": painting.stylized.mean()},
    )
    monkeypatch.setitem(LOSS_TERMS, "gray", gray)
    painting, stylized = torch.full((1, 3, 24, 24), 0.25), torch.full((1, 3, 24, 24), 0.75)
    criterion = PerceptualLoss(tiny_vgg, painting, settings(weights={"gray": 2.0}))
    assert criterion.total(stylized, pictures(1)).item() == pytest.approx(1.0)


def test_weights_of_a_card_are_known_by_their_old_names_and_one_that_it_lacks_weighs_nothing() -> None:
    card = {"content_layers": ["relu2_2"], "style_layers": LAYERS, "content_weight": 1.0, "style_weight": 4.0}
    assert LossSettings.from_card(card).weights == {"content": 1.0, "style": 4.0}
    new = settings(weights={"content": 2.0, "stability": 5.0})
    assert LossSettings.from_card(asdict(new)) == new


def test_another_preset_has_a_weight_for_every_term_of_the_default_one_on_which_it_is_laid() -> None:
    assert set(loss_preset("johnson").weights) == set(loss_preset().weights) <= set(LOSS_TERMS)


def test_one_style_weight_means_the_same_for_features_of_any_scale(tiny_vgg: VGGFeatures) -> None:
    painting, stylized, photos = pictures(1, seed=1), pictures(2, seed=2), pictures(2, seed=3)
    chosen = settings(style_layers=["relu1_1"], content_layers=["relu1_1"])
    before = PerceptualLoss(tiny_vgg, painting, chosen)(stylized, photos)
    tiny_vgg.conv1_1_weight *= 50
    tiny_vgg.get_buffer("conv1_1_bias").mul_(50)
    after = PerceptualLoss(tiny_vgg, painting, chosen)(stylized, photos)
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"form": "free"}, "loss.form"),
        ({"weights": {"style": -1.0}}, "loss.weights.style"),
        ({"weights": {"tv": float("nan")}}, "loss.weights.tv"),
        ({"style_layers": []}, "loss.style_layers"),
        ({"style_layers": ["relu1_1", "relu1_1"]}, "loss.style_layers"),
        ({"style_layer_weights": [1.0]}, "loss.style_layers"),
        ({"content_layer_weights": [-1.0]}, "loss.content_layer_weights"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], name: str) -> None:
    with pytest.raises(UserError, match=name):
        settings(**changes)


@pytest.mark.parametrize(
    ("weights", "text"), [({"sytle": 1.0}, "loss.weights.sytle is not a term"), ({"tv": 0.0}, "at least one of")]
)
def test_weights_of_no_term_are_refused(weights: dict[str, float], text: str) -> None:
    with pytest.raises(UserError, match=text):
        check_terms(weights)
