"""The fixed pattern that flat areas are filled along."""

import math

import numpy as np
import pytest
import torch

from stylenet.models.network import NetworkSettings, initialize
from stylenet.models.plane_waves import PlaneWaves, pattern_at, plane_waves
from stylenet.models.transformer_net import TransformerNet

WAVY = NetworkSettings(width=2, blocks=1, waves=3)


def with_pattern(settings: NetworkSettings = WAVY) -> TransformerNet:
    network = initialize(TransformerNet(settings), 0).eval()
    for module in network.modules():
        if isinstance(module, PlaneWaves):
            torch.nn.init.normal_(module.weight, 0, 0.1, generator=torch.Generator().manual_seed(1))
    return network


def test_waves_have_their_wavelengths_directions_and_phases() -> None:
    waves = plane_waves(torch.arange(0, 40, 4), torch.arange(0, 60, 4), 3).numpy()
    rows, columns = np.mgrid[0:40:4, 0:60:4]
    for number, wavelength in enumerate((24, math.sqrt(24 * 160), 160)):
        angle = math.pi * (number * 0.6180339887 % 1)
        along = (rows * math.sin(angle) + columns * math.cos(angle)) / wavelength
        expected = 16 * np.sin(2 * math.pi * (along + number * 0.7548776662 % 1))
        np.testing.assert_allclose(waves[number], expected, atol=1e-3)


def test_without_weights_the_pattern_changes_nothing() -> None:
    plain, wavy = (initialize(TransformerNet(NetworkSettings(2, 1, waves=waves)), 0).eval() for waves in (0, 3))
    photo = torch.rand(1, 3, 40, 44)
    assert torch.equal(plain(photo), wavy(photo))
    assert set(wavy.state_dict()) - set(plain.state_dict()) == {"layers.8.1.weight"}


def test_an_even_photo_is_not_painted_evenly() -> None:
    assert with_pattern()(torch.full((1, 3, 64, 64), 0.5)).std((2, 3)).min() > 0.01


def test_training_moves_the_pattern_and_use_finds_it_where_it_was() -> None:
    network, photo = with_pattern(), torch.rand(1, 3, 64, 64)
    still = network(photo)
    with pattern_at(network, 8.0, 4.0):
        moved = network(photo)
        with pattern_at(network, -8.0, -4.0):
            assert torch.equal(network(photo), still)
    assert not torch.allclose(moved, still)
    assert torch.equal(network(photo), still)


def test_the_pattern_moves_by_whole_positions_as_the_features_do() -> None:
    layer = PlaneWaves(2, 4)
    torch.nn.init.normal_(layer.weight)
    zeros = torch.zeros(1, 2, 12, 9)
    whole = layer(zeros)
    torch.testing.assert_close(layer(zeros[:, :, :5], first=7), whole[:, :, 7:], atol=1e-3, rtol=0)
    layer.origin = (12.0, 8.0)
    torch.testing.assert_close(layer(zeros[:, :, :9, :7]), whole[:, :, 3:, 2:], atol=1e-3, rtol=0)


def test_half_precision_keeps_the_phases() -> None:
    layer = PlaneWaves(2, 12)
    torch.nn.init.normal_(layer.weight, 0, 0.01)
    wide = torch.zeros(1, 2, 4, 1000)
    exact = layer(wide)
    assert (layer.half()(wide.half()).float() - exact).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.parametrize("waves", [-1])
def test_a_negative_number_of_waves_is_refused(waves: int) -> None:
    from stylenet.errors import UserError

    with pytest.raises(UserError, match="waves must be 0 or more, got -1"):
        NetworkSettings(waves=waves)
