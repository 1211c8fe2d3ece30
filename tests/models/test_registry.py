"""Architectures: chosen by a name on the style file's card, loaded and applied like any other."""

import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stylenet import Stylizer, load_style
from stylenet.errors import UserError
from stylenet.inference import strips
from stylenet.models.layers import ReflectConv2d
from stylenet.models.network import NetworkSettings, StyleNetwork, initialize
from stylenet.models.registry import NETWORKS, build_network
from stylenet.models.style_file import CARD_KEY, Card, StyleFileError, read_card, save_style

TINY = NetworkSettings(width=2, blocks=3)
DILATED = NetworkSettings(width=2, blocks=3, architecture="dilated")


class Attention(StyleNetwork):
    """A network with a layer that sees the whole image, so that it cannot be cut in strips."""

    def __init__(self) -> None:
        super().__init__(NetworkSettings(2, 1))
        self.layers = nn.Sequential(ReflectConv2d(3, 3, 3), nn.GELU(), nn.Softmax2d())


@pytest.mark.parametrize("settings", [TINY, DILATED], ids=["transformer", "dilated"])
def test_a_style_file_brings_its_architecture_back(tmp_path: Path, settings: NetworkSettings) -> None:
    network = initialize(build_network(settings), 0).eval()
    save_style(tmp_path / "night.safetensors", network, Card("night", settings))
    loaded, card = load_style(tmp_path / "night.safetensors")
    assert (type(loaded), card.network) == (type(network), settings)
    photo = torch.rand(1, 3, 40, 44)
    assert torch.equal(loaded(photo), network(photo))


def test_a_card_without_an_architecture_is_the_first_one_and_stays_as_it_is(tmp_path: Path) -> None:
    network = initialize(build_network(TINY), 0)
    save_file(
        network.state_dict(),
        tmp_path / "old.safetensors",
        {CARD_KEY: '{"name": "old", "network": {"width": 2, "blocks": 3}}'},
    )
    card = read_card(tmp_path / "old.safetensors")
    assert card.network == TINY
    assert json.loads(card.to_json())["network"] == {"width": 2, "blocks": 3, "fold": 1, "output": "sigmoid"}


def test_an_unknown_architecture_is_one_line(tmp_path: Path) -> None:
    card = json.dumps({"name": "x", "network": {"width": 2, "architecture": "next\nyear"}})
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors", {CARD_KEY: card})
    with pytest.raises(
        StyleFileError, match=r"has the architecture 'next\\nyear', which this version of stylenet does"
    ):
        read_card(tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=f"is one of {', '.join(NETWORKS)}, got cubist"):
        build_network(NetworkSettings(architecture="cubist"))


def test_dilated_blocks_see_further_with_as_many_parameters() -> None:
    plain, dilated = (initialize(build_network(each), 0) for each in (TINY, DILATED))
    assert {name: value.shape for name, value in plain.state_dict().items()} == {
        name: value.shape for name, value in dilated.state_dict().items()
    }
    assert reach(plain) < reach(dilated) == reach(plain) + 4 * 2 * (1 + 3)  # px: dilations 2 and 4 instead of 1 and 1


def reach(network: StyleNetwork) -> int:
    """How many pixels to the left of the middle a change reaches, without the norms, which see everything."""
    network = network.double()
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.InstanceNorm2d | nn.ReLU):
            network.set_submodule(name, nn.Identity())
    x = torch.zeros(1, 3, 64, 320, dtype=torch.float64, requires_grad=True)
    network(x)[0, :, :, 160].sum().backward()
    assert x.grad is not None
    return 160 - int(x.grad.abs().sum((0, 1, 2)).nonzero().min())


def test_each_network_says_how_small_a_picture_it_takes() -> None:
    assert build_network(TINY)(torch.rand(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    assert build_network(DILATED)(torch.rand(1, 3, 20, 20)).shape == (1, 3, 20, 20)
    with pytest.raises(UserError, match="at least 20 px wide and high, got 30 x 19"):
        build_network(DILATED)(torch.rand(1, 3, 19, 30))


def test_a_network_that_cannot_be_cut_runs_whole_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    network, photo = initialize(Attention(), 0), torch.rand(3, 64, 48)
    whole = Stylizer(network, Card("x"), "cpu", torch.float32).stylize(photo)
    little = Stylizer(network, Card("x"), "cpu", torch.float32, memory=1000)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(little.stylize(photo), whole)
        little.stylize(photo)
    assert [record.getMessage() for record in caplog.records] == [
        "this network cannot be applied in strips: large images are processed whole, in more memory"
    ]


def test_a_network_that_cannot_be_cut_is_measured_at_its_widest_layer() -> None:
    # GELU and softmax take and give 3 channels of fp32; the convolution gives as many, and half more for the rest.
    assert strips.bytes_per_pixel(Attention()) == (3 + 3) * 4 * 1.5


def test_what_has_no_room_as_a_whole_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "total_memory", lambda device: 50_000.0)
    with pytest.raises(UserError, match=r"takes 0\.0 GB, and this device has 0\.0 GB") as caught:
        Stylizer(Attention(), Card("x"), "cpu", torch.float32, memory=1000).stylize(torch.rand(3, 64, 48))
    assert "\n" not in str(caught.value)


def test_any_module_can_be_applied(caplog: pytest.LogCaptureFixture) -> None:
    class Inverse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.ones(()))

        def forward(self, photos: Tensor) -> Tensor:
            return self.one - photos

    photo = torch.rand(3, 40, 30)
    stylizer = Stylizer(Inverse(), Card("x"), "cpu", torch.float32, memory=1000)
    torch.testing.assert_close(stylizer.stylize(photo), 1 - photo)
