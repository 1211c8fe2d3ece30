"""One network for many styles: each is an ordinary network, and a new one changes none of the others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stylenet import Blend, Stylizer, load_style
from stylenet.errors import UserError
from stylenet.models import style_file
from stylenet.models.catalog import (
    StyleReference,
    find_reference,
    find_weighted_style,
    holds_many,
    single_styles,
    style_choices,
)
from stylenet.models.conditional import ConditionalNet, interpolate_networks
from stylenet.models.network import NetworkSettings, initialize
from stylenet.models.style_file import CARD_KEY, Card, StyleFileError, check_styles, read_card, save_style
from stylenet.models.transformer_net import TransformerNet

NAMES = ["night", "wave", "toledo"]
FORM = NetworkSettings(2, 1, architecture="conditional", styles=3)
PAINTINGS = [{"name": name, "title": name.title(), "artist": "A. Painter", "license": "CC0"} for name in NAMES]


def many(settings: NetworkSettings = FORM) -> ConditionalNet:
    network = initialize(ConditionalNet(settings), 0).eval()
    with torch.no_grad():
        network.table += 0.4 * torch.randn(network.table.shape, generator=torch.Generator().manual_seed(1))
    return network


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoints" / "gallery.safetensors"
    save_style(path, many(), Card("gallery", FORM, {"styles": PAINTINGS, "photos": "sample"}))
    return path


def photo(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("fold", [1, 2])
@torch.inference_mode()
def test_each_style_is_the_ordinary_network_of_its_row(fold: int) -> None:
    network, x = many(NetworkSettings(2, 2, fold, architecture="conditional", styles=3)), photo(1, 3, 37, 46)
    for style in range(3):
        single = network.selected(style)
        assert type(single) is TransformerNet
        torch.testing.assert_close(single(x), network(x, style), rtol=0, atol=1e-6)
    assert (network(x, 0) - network(x, 1)).abs().max() > 0.05


@torch.inference_mode()
def test_a_row_is_the_scales_and_shifts_of_one_norm_after_another() -> None:
    network = many()
    single, row = network.selected(1), network.table[1]
    norms = [module for module in single.modules() if isinstance(module, nn.InstanceNorm2d)]
    expected = torch.cat([value for norm in norms for value in (norm.weight, norm.bias)])
    assert torch.equal(row, expected)
    assert single.layers[1].weight.tolist() == row[:2].tolist()


@torch.inference_mode()
def test_a_batch_may_mix_styles() -> None:
    network, x = many(), photo(3, 3, 24, 28)
    mixed = network(x, torch.tensor([2, 0, 2]))
    for index, style in enumerate([2, 0, 2]):
        torch.testing.assert_close(mixed[index : index + 1], network(x[index : index + 1], style), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_weights_average_the_parameters_and_not_the_images() -> None:
    network, x = many(), photo(1, 3, 24, 28)
    half = network(x, [1.0, 3.0, 0.0])
    by_hand = network.folded(0.25 * network.table[0] + 0.75 * network.table[1])
    torch.testing.assert_close(half, by_hand(x), rtol=0, atol=1e-6)
    torch.testing.assert_close(network.selected([1.0, 3.0, 0.0])(x), half, rtol=0, atol=1e-6)
    assert (half - (network(x, 0) / 4 + network(x, 1) * 3 / 4)).abs().max() > 1e-3


@torch.inference_mode()
def test_a_list_of_whole_numbers_is_weights_and_a_tensor_of_them_chooses() -> None:
    network, x = many(), photo(3, 3, 24, 28)
    torch.testing.assert_close(network(x, [0, 1, 0]), network(x, 1), rtol=0, atol=1e-6)
    torch.testing.assert_close(network.selected([1, 0, 0])(x), network.selected(0)(x), rtol=0, atol=1e-6)
    torch.testing.assert_close(network(x, torch.tensor([1, 1, 1])), network(x, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([0, 0, 0], "must not add up to 0"),
        ([1.0, -1.0, 0.0], "must not add up to 0"),
        (torch.tensor([[1.0, 0, 0], [0, 0, 0]]), "must not add up to 0"),
        ([1.0, 0.0], "a weight for each of 3 styles, got 2"),
    ],
)
def test_weights_that_make_no_mean_are_one_line(weights: list[float] | torch.Tensor, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        many().parameters_of(weights)


def test_a_network_without_a_pattern_is_taken_over_by_one_with_it() -> None:
    network, single = many(replace(FORM, waves=3)), initialize(TransformerNet(NetworkSettings(2, 1)), 5)
    row = network.take(single)
    x = photo(1, 3, 24, 28)
    torch.testing.assert_close(network.folded(row)(x), single(x), rtol=0, atol=1e-6)


def test_only_the_row_of_a_style_learns_from_it() -> None:
    network = many()
    network(photo(2, 3, 16, 16), torch.tensor([1, 1])).sum().backward()
    assert network.table.grad is not None
    assert network.table.grad[1].abs().max() > 0
    assert not network.table.grad[[0, 2]].any()


@torch.inference_mode()
def test_another_style_changes_no_byte_of_the_others(tmp_path: Path, gallery: Path) -> None:
    network, card = style_file.read_style(gallery)
    assert isinstance(network, ConditionalNet)
    larger = network.extended(torch.full_like(network.table[0], 0.5))
    paintings = [*card.facts["styles"], {"name": "new"}]
    save_style(tmp_path / "larger.safetensors", larger, Card("larger", larger.settings, {"styles": paintings}))
    picture = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    for name in NAMES:
        before, after = (
            Stylizer.load(f"{file}#{name}", "cpu").stylize(picture) for file in ("gallery", "larger.safetensors")
        )
        assert before.tobytes() == after.tobytes()
    assert load_style("larger.safetensors#new")[0].layers[1].weight.tolist() == [0.5, 0.5]


def test_a_style_behind_the_sign_is_loaded_like_any_other(gallery: Path) -> None:
    network, card = load_style("gallery#wave")
    assert type(network) is TransformerNet
    assert (card.name, card.network, card.facts["painting"]["title"]) == ("gallery-wave", NetworkSettings(2, 1), "Wave")
    assert "styles" not in card.facts
    every, whole = load_style("gallery")
    assert isinstance(every, ConditionalNet)
    assert whole.style_names == NAMES
    assert torch.equal(network(photo(1, 3, 20, 20)), every.selected(1)(photo(1, 3, 20, 20)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("gallery", "gallery holds 3 styles: choose one, as in gallery#night; available: night, wave, toledo"),
        ("gallery#scream", "gallery has no style scream; available: night, wave, toledo"),
        ("gallery#", "there is no style gallery#; available: gallery#…, mada"),
        ("other#wave", "there is no style other#wave; available: gallery#…, mada"),
        ("#wave", "there is no style #wave; available: gallery#…, mada"),
    ],
)
def test_what_names_no_style_is_one_line_with_the_names(gallery: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        Stylizer.load(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_single_style_has_none_behind_the_sign(gallery: Path) -> None:
    single = NetworkSettings(2, 1)
    save_style(gallery.with_name("one.safetensors"), initialize(TransformerNet(single), 0), Card("one", single))
    with pytest.raises(UserError, match="one holds one style: leave out # and the name behind it"):
        load_style("one#wave")


def test_a_file_whose_name_is_the_whole_text_wins(gallery: Path) -> None:
    file = gallery.with_name("gallery#wave:0.7.safetensors")
    assert find_weighted_style("gallery#wave:0.7") == (
        StyleReference(Path("checkpoints/gallery.safetensors"), "wave"),
        0.7,
    )
    file.touch()
    assert find_weighted_style("gallery#wave:0.7") == (StyleReference(Path("checkpoints") / file.name), 1)
    gallery.with_name("gallery#wave.safetensors").touch()
    assert find_reference("gallery#wave").style is None
    assert find_weighted_style("gallery#wave:2") == (StyleReference(Path("checkpoints/gallery#wave.safetensors")), 2)


def test_results_are_named_by_the_file_and_the_style_of_many(gallery: Path) -> None:
    single = NetworkSettings(2, 1)
    save_style(gallery.with_name("wave.safetensors"), initialize(TransformerNet(single), 0), Card("wave", single))
    assert [find_reference(text).name for text in ("wave", "gallery#wave")] == ["wave", "gallery-wave"]
    assert [load_style(text)[1].name for text in ("wave", "gallery#wave")] == ["wave", "gallery-wave"]


def test_what_holds_many_styles_is_known_from_its_card(gallery: Path) -> None:
    single = NetworkSettings(2, 1)
    save_style(gallery.with_name("one.safetensors"), initialize(TransformerNet(single), 0), Card("one", single))
    broken = {"nonsense": b"nonsense", "list": (2).to_bytes(8, "little") + b"[]", "deep": b"\xff" * 8 + b"[" * 10**6}
    for name, content in broken.items():
        gallery.with_name(f"{name}.safetensors").write_bytes(content)
    gallery.with_name("folder.safetensors").mkdir()
    assert [path.stem for path in gallery.parent.iterdir() if holds_many(path)] == ["gallery"]
    assert not holds_many(gallery.with_name("missing.safetensors"))
    assert {"gallery#…", "one", "list"} < set(style_choices())
    assert "gallery" not in {*style_choices(), *single_styles()}


def test_a_blend_of_styles_of_one_file_is_one_pass(gallery: Path) -> None:
    parts = [
        (Stylizer.load(f"gallery#{name}", "cpu", torch.float32), weight)
        for name, weight in [("night", 1.0), ("wave", 3.0)]
    ]
    blend = Blend(parts)
    assert len(blend.passes) == 1
    network, _ = style_file.read_style(gallery)
    assert isinstance(network, ConditionalNet)
    picture = photo(3, 24, 30)
    expected = network(picture[None], [1.0, 3.0, 0.0])[0].detach()
    torch.testing.assert_close(blend.stylize(picture), expected, rtol=0, atol=1e-5)


def test_a_blend_with_a_mask_takes_each_style_on_its_side(gallery: Path) -> None:
    night, wave = (Stylizer.load(f"gallery#{name}", "cpu", torch.float32) for name in ("night", "wave"))
    mask, picture = np.zeros((24, 30), np.float32), photo(3, 24, 30)
    mask[:, :15] = 1
    blended = Blend([(night, 1.0), (wave, 1.0)]).stylize(picture, mask=mask)
    torch.testing.assert_close(blended[..., :15], night.stylize(picture)[..., :15], rtol=0, atol=1e-6)
    torch.testing.assert_close(blended[..., 15:], wave.stylize(picture)[..., 15:], rtol=0, atol=1e-6)


def test_styles_of_one_file_and_another_are_two_passes(gallery: Path) -> None:
    other = Stylizer(initialize(TransformerNet(NetworkSettings(2, 1)), 5), Card("x"), "cpu", torch.float32)
    one, two = (Stylizer.load(f"gallery#{name}", "cpu", torch.float32) for name in ("night", "wave"))
    blend = Blend([(one, 1.0), (other, 2.0), (two, 1.0)])
    assert [weight for _, weight in blend.passes] == [0.5, 0.5]
    mean = (blend.passes[0][0].stylize(photo(3, 20, 20)) + other.stylize(photo(3, 20, 20))) / 2
    torch.testing.assert_close(blend.stylize(photo(3, 20, 20)), mean)


def test_networks_that_differ_in_more_than_norms_are_not_one() -> None:
    first, second = (initialize(TransformerNet(NetworkSettings(2, 1)), seed) for seed in (0, 1))
    assert interpolate_networks([first, second], [1.0, 1.0]) is None
    assert interpolate_networks([first, nn.Identity()], [1.0, 1.0]) is None


def metadata(styles: object, count: int = 3) -> dict[str, str]:
    network = {"width": 2, "blocks": 1, "architecture": "conditional", "styles": count}
    return {CARD_KEY: json.dumps({"name": "x", "network": network, "styles": styles})}


@pytest.mark.parametrize(
    "styles",
    [None, 3, "abc", [], ["a", "b", "c"], PAINTINGS[:2], [*PAINTINGS, {"name": "d"}], [{}] * 3]
    + [
        [{"name": name}, *PAINTINGS[1:]]
        for name in ("wave", "", 3, None, ["a"], "a#b", "a:1", "a/b", "a\nb", "x" * 256)
    ],
)
def test_a_card_whose_paintings_make_no_sense_is_refused(tmp_path: Path, styles: object) -> None:
    save_file(many().state_dict(), tmp_path / "x.safetensors", metadata(styles))
    with pytest.raises(StyleFileError, match="has no card that stylenet can read"):
        style_file.read_card(tmp_path / "x.safetensors")


@pytest.mark.parametrize("count", [0, 1001, 10**9])
def test_too_many_styles_are_refused_unread(tmp_path: Path, count: int) -> None:
    save_file(many().state_dict(), tmp_path / "x.safetensors", metadata(PAINTINGS, count))
    with pytest.raises(StyleFileError, match="has no card"):
        style_file.read_card(tmp_path / "x.safetensors")


def test_a_table_that_does_not_fit_the_card_is_refused(tmp_path: Path) -> None:
    weights = many().state_dict()
    save_file({**weights, "table": weights["table"][:2].clone()}, tmp_path / "x.safetensors", metadata(PAINTINGS))
    with pytest.raises(StyleFileError, match="do not fit"):
        style_file.read_style(tmp_path / "x.safetensors")


def test_an_added_style_is_judged_by_its_own_training(gallery: Path) -> None:
    card = read_card(gallery)
    facts = {**card.facts, "loss": {"lightness": 1.2}, "training": {"steps": 500}}
    added = {**card.facts["styles"][0], "training": {"loss": {"lightness": 1.0}, "training": {"steps": 3}}}
    card = replace(card, facts={**facts, "styles": [card.facts["styles"][0], added]})
    assert card.selected(0).facts["loss"] == {"lightness": 1.2}
    assert card.selected(1).facts["loss"] == {"lightness": 1.0}
    assert card.selected(1).facts["training"] == {"steps": 3}
    assert "training" not in card.selected(1).facts["painting"]


def test_more_than_a_file_holds_is_refused_before_the_training() -> None:
    with pytest.raises(UserError, match="at most 1000 styles, not 1001"):
        check_styles([{}] * 1001)
    with pytest.raises(UserError, match=r"take 1,\d+,\d+ bytes"):
        check_styles([{"source": "x" * 5000}] * 200)
    check_styles([{"source": "x" * 500}] * 1000)


def test_a_number_of_any_whole_type_chooses() -> None:
    network = ConditionalNet(NetworkSettings(2, 1, architecture="conditional", styles=3))
    for number in (2, np.int64(2), np.uint8(2)):
        assert torch.equal(network.parameters_of(number), network.table[2])


@pytest.mark.parametrize(
    ("style", "reason"),
    [
        (99, "the styles have the numbers 0 to 2, got 99"),
        (-1, "the styles have the numbers 0 to 2, got -1"),
        (torch.tensor([0, 3]), r"the styles have the numbers 0 to 2, got \[0, 3\]"),
        ([float("nan")] * 3, "the weights of a blend must be finite numbers"),
        (torch.tensor(0.5), "a style is its number, or a weight for each"),
        (["a", "b", "c"], "a style is its number, or a weight for each"),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("without_type_checks")
def test_what_chooses_no_style_is_a_line(style: object, reason: str) -> None:
    network = ConditionalNet(NetworkSettings(2, 1, architecture="conditional", styles=3))
    with pytest.raises(UserError, match=reason):
        network.parameters_of(style)
