"""Black in the darkest parts of results."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stylenet.errors import UserError
from stylenet.models.limits import MOST_BLACK
from stylenet.models.luminance import darkest_luminance, deepen_blacks, luminance
from stylenet.models.network import NetworkSettings
from stylenet.models.style_file import Card, read_style, save_style
from stylenet.models.transformer_net import TransformerNet, initialize


class Paint(nn.Module):
    """Returns what it is given, lightened."""

    def forward(self, photos: Tensor) -> Tensor:
        return 0.1 + 0.9 * photos


def test_the_black_becomes_0_and_white_stays() -> None:
    gray = torch.tensor([20 / 255, 0.5, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    first, middle, last = deepen_blacks(gray, 20)[0, 0, 0].tolist()
    assert first == pytest.approx(0, abs=1e-6)
    assert 0.45 < middle < 0.5
    assert last == 1
    assert deepen_blacks(gray, 0) is gray


def test_colors_stay_as_strong_and_lighter_pixels_stay_lighter() -> None:
    images = 0.3 + 0.5 * torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    deeper = deepen_blacks(images, MOST_BLACK)
    torch.testing.assert_close(deeper[:, 0] - deeper[:, 2], images[:, 0] - images[:, 2])
    order = luminance(images).flatten().argsort()
    assert (luminance(deeper).flatten()[order].diff() > 0).all()


def test_the_black_of_a_network_is_that_of_its_darkest_hundredth_at_most_38() -> None:
    photos = torch.linspace(0, 1, 4096).view(1, 1, 64, 64).repeat(2, 3, 1, 1)
    assert darkest_luminance(Paint(), photos) == round(255 * (0.1 + 0.9 * 0.01))
    assert darkest_luminance(Paint(), photos / 2 + 0.5) == MOST_BLACK
    assert darkest_luminance(Paint(), photos * torch.nan) == 0


@torch.inference_mode()
def test_a_network_with_a_black_gives_the_same_image_darker_and_its_file_keeps_it(tmp_path: Path) -> None:
    plain = initialize(TransformerNet(NetworkSettings(2, 1, margin=4)), seed=0)
    network = TransformerNet(replace(plain.settings, black=30))
    network.load_state_dict(plain.state_dict())
    photos = torch.rand(2, 3, 20, 30)
    torch.testing.assert_close(network(photos), deepen_blacks(plain(photos), 30))
    save_style(tmp_path / "a.safetensors", network, Card("a", network.settings, {}))
    assert read_style(tmp_path / "a.safetensors")[1].network.black == 30


@pytest.mark.parametrize("black", [-1, MOST_BLACK + 1])
def test_a_black_out_of_range_is_refused(black: int) -> None:
    with pytest.raises(UserError, match="network's black must be"):
        NetworkSettings(black=black)
