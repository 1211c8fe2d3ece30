"""The stability term, on networks whose answer to a shift and to noise is known."""

import pytest
import torch
from torch import nn

from stylenet.losses import stability
from stylenet.losses.measures import FLAT
from stylenet.losses.stability import stability_loss


class Grid(nn.Module):
    """Paints by where a pixel stands: lighter on every fourth column."""

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return photos + 0.1 * (torch.arange(photos.shape[-1]) % 4 == 0)


class Paler(nn.Module):
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return 0.3 + 0.2 * pictures


def photos(side: int = 48) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("side", [16, 33, 48, 200])
def test_a_network_that_moves_with_the_photo_is_calm(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stability, "NOISE", 0)
    x = photos(side)
    for number in range(20):
        assert stability_loss(nn.Identity(), x, x, number).item() == 0


def test_a_network_that_paints_by_its_grid_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stability, "NOISE", 0)
    x = photos()
    losses = [stability_loss(Grid(), x, Grid()(x), number).item() for number in range(20)]
    # Half of the columns differ by 0.1, unless the shift is across by nothing.
    expected = 0.005 / Grid()(x).numpy().var(axis=(2, 3)).mean()
    assert sum(loss == pytest.approx(expected, rel=0.15) for loss in losses) > 12


def test_a_paler_picture_is_no_calmer() -> None:
    x = photos()
    paler = nn.Sequential(Grid(), Paler())
    assert stability_loss(paler, x, paler(x), 3).item() == pytest.approx(
        stability_loss(Grid(), x, Grid()(x), 3).item(), rel=1e-4
    )


def test_noise_is_measured_in_the_pixels_own_unit() -> None:
    x = torch.full((1, 3, 400, 400), 0.5)
    losses = [FLAT * stability_loss(nn.Identity(), x, x, number).item() for number in range(30)]
    assert 0.7 * stability.NOISE < max(losses) ** 0.5 <= 1.02 * stability.NOISE


def test_equal_numbers_give_equal_shifts_and_noise() -> None:
    x = photos()
    assert (
        stability_loss(Grid(), x, x, 3).item()
        == stability_loss(Grid(), x, x, 3).item()
        != stability_loss(Grid(), x, x, 4).item()
    )
