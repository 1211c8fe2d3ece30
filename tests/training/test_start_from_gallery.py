"""A new painting's run starts from what the shipped network of many styles predicts for it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from runs import SMALL

from stylenet.data.painting import STYLES, read_painting
from stylenet.errors import UserError
from stylenet.models.catalog import StyleReference
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import NetworkSettings
from stylenet.models.plane_waves import PlaneWaves
from stylenet.models.style_file import Card, read_card, read_style, save_style
from stylenet.models.transformer_net import TransformerNet
from stylenet.training import base_network
from stylenet.training.base_network import find_base, find_init, first_network

FORM = NetworkSettings(width=4, blocks=1)


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConditionalNet:
    """A network of two styles with random weights, in place of the shipped one."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    network = ConditionalNet(replace(FORM, architecture="conditional", styles=2, predictor=3)).eval()
    assert network.predictor is not None
    torch.nn.init.normal_(network.predictor.head.weight, 0, 0.1)
    for name, buffer in network.predictor.encoder.named_buffers():
        buffer.copy_(torch.ones(3) if name == "std" else 0.02 * torch.randn(buffer.shape))
    card = Card("gallery", network.settings, {"styles": [{"name": "one"}, {"name": "two"}]})
    save_style(shipped / "gallery.safetensors", network, card)
    monkeypatch.setattr(base_network, "SHIPPED", shipped)
    return network


def test_a_run_starts_from_the_predicted_parameters_and_ends_as_an_ordinary_network(
    gallery: ConditionalNet, tmp_path: Path, tiny_vgg_file: Path, here: Callable[..., int]
) -> None:
    options = [
        *SMALL,
        "network.margin=0",
        f"loss_network.weights={tiny_vgg_file}",
        "init=auto",
        "learning_rate=1e-12",
        "steps=1",
    ]
    assert here("style=wave", *options) == 0
    network, card = read_style(tmp_path / "checkpoints" / "wave.safetensors")
    with torch.no_grad():
        start = gallery.folded(gallery.predicted(read_painting(STYLES / "wave.jpg", 256))[0])
    torch.testing.assert_close(network.state_dict(), start.state_dict(), rtol=0, atol=1e-6)
    assert card.network == replace(FORM, black=card.network.black)
    assert card.facts["training"]["init"]["style"] == "gallery"
    (run,) = (tmp_path / "outputs" / "wave").iterdir()
    for checkpoint in run.glob("*.ckpt"):
        checkpoint.unlink()
    assert here(f"resume={run}", "replace=true") == 0
    again = read_style(tmp_path / "checkpoints" / "wave.safetensors")[0]
    torch.testing.assert_close(again.state_dict(), network.state_dict(), rtol=0, atol=0)


@pytest.mark.usefixtures("gallery")
def test_another_architecture_does_not_start_from_it() -> None:
    assert find_init("auto", "wave", FORM) == StyleReference(base_network.SHIPPED / "gallery.safetensors")
    assert find_init("auto", "wave", replace(FORM, width=5)) is None
    assert find_init(None, "wave", FORM) is None
    with pytest.raises(UserError, match="architecture mismatch"):
        find_init(str(base_network.SHIPPED / "gallery.safetensors"), "wave", replace(FORM, blocks=2))


@pytest.mark.usefixtures("gallery")
def test_without_a_predictor_it_is_no_start(tmp_path: Path) -> None:
    network = ConditionalNet(replace(FORM, architecture="conditional", styles=2))
    file = base_network.SHIPPED / "gallery.safetensors"
    save_style(file, network, Card("gallery", network.settings, read_card(file).facts))
    assert find_init("auto", "wave", FORM) is None


def test_auto_takes_the_shortest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_network, "SHIPPED", tmp_path)
    for name in ("starry-mine", "starry"):
        network = TransformerNet(FORM)
        save_style(tmp_path / f"{name}.safetensors", network, Card(name, network.settings, {}))
    assert find_base("auto", "wave", FORM) == StyleReference(tmp_path / "starry.safetensors")


@pytest.mark.parametrize(("has", "wants"), [(3, 0), (0, 3), (3, 3)])
def test_a_pattern_is_no_obstacle(has: int, wants: int, tmp_path: Path) -> None:
    """One that only the first network has is left out; one that only the run has begins with zeros."""
    network = TransformerNet(replace(FORM, waves=has))
    for module in network.modules():
        if isinstance(module, PlaneWaves):
            torch.nn.init.ones_(module.weight)
    save_style(tmp_path / "first.safetensors", network, Card("first", network.settings, {}))
    form = replace(FORM, waves=wants)
    base = find_base(str(tmp_path / "first.safetensors"), "wave", form)
    started = first_network(form, 0, base, torch.rand(1, 3, 16, 16)).state_dict()
    common = started.keys() & network.state_dict().keys()
    assert common >= {"layers.0.weight"}
    for name in common:
        torch.testing.assert_close(started[name], network.state_dict()[name], rtol=0, atol=0)
    new = {name: value for name, value in started.items() if name not in common}
    assert all(not value.any() for value in new.values())
    assert bool(new) == (wants > has)


def test_margin_and_black_are_no_obstacles(tmp_path: Path) -> None:
    network = TransformerNet(replace(FORM, margin=12, black=20))
    save_style(tmp_path / "first.safetensors", network, Card("first", network.settings, {}))
    base = find_base(str(tmp_path / "first.safetensors"), "wave", FORM)
    started = first_network(FORM, 0, base, torch.rand(1, 3, 16, 16))
    assert started.settings == FORM
    torch.testing.assert_close(started.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_patterns_of_two_sizes_do_not_suit(tmp_path: Path) -> None:
    network = TransformerNet(replace(FORM, waves=3))
    save_style(tmp_path / "first.safetensors", network, Card("first", network.settings, {}))
    with pytest.raises(UserError, match="architecture mismatch"):
        find_base(str(tmp_path / "first.safetensors"), "wave", replace(FORM, waves=2))


def test_a_run_starts_from_one_style_of_many(
    gallery: ConditionalNet, tmp_path: Path, tiny_vgg_file: Path, here: Callable[..., int], capsys
) -> None:
    file = base_network.SHIPPED / "gallery.safetensors"
    options = [*SMALL, "network.margin=0", f"loss_network.weights={tiny_vgg_file}", "learning_rate=1e-12", "steps=1"]
    assert here("style=wave", f"init={file}#two", *options) == 0
    network, card = read_style(tmp_path / "checkpoints" / "wave.safetensors")
    torch.testing.assert_close(network.state_dict(), gallery.selected(1).state_dict(), rtol=0, atol=1e-6)
    assert card.facts["training"]["init"]["style"] == "gallery-two"
    capsys.readouterr()
    assert here("style=wave", f"init={file}#three", "replace=true", *options) == 1
    assert "gallery has no style three; available: one, two" in capsys.readouterr().err
