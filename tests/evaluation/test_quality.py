"""Stability, similarity and the Gatys equivalent, on networks and curves whose figures are known."""

import numpy as np
import pytest
import torch
from made_up_vgg import tiny_weights

from stylenet.errors import UserError
from stylenet.evaluation.gatys import equivalent, equivalents, first_step
from stylenet.evaluation.judge import LAYERS, style_ratio_vgg16
from stylenet.evaluation.optimization import optimize, start_from
from stylenet.evaluation.similarity import lpips, ssim
from stylenet.evaluation.stability import stability
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures
from stylenet.models.transformer_net import NetworkSettings, TransformerNet


class Amplifier(TransformerNet):
    """Four times the photo's contrast about gray; where asked, lighter on every second column."""

    def __init__(self, grid: float = 0) -> None:
        super().__init__(NetworkSettings(4, 1))
        self.grid = grid

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return 0.5 + 4 * (photos - 0.5) + self.grid * (torch.arange(photos.shape[-1]) % 2)


def pictures(number: int = 2, side: int = 96, seed: int = 0) -> torch.Tensor:
    return torch.rand(number, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_the_noise_gain_of_an_amplifier_is_its_gain() -> None:
    found = stability(Amplifier(), torch.full((2, 3, 96, 96), 128 / 255))
    assert found.noise == pytest.approx(4, rel=0.02)
    assert found.shift == 0


def test_a_shift_shows_what_stands_on_the_grid_of_pixels() -> None:
    found = stability(Amplifier(grid=20 / 255), torch.full((1, 3, 96, 96), 128 / 255))
    assert found.shift == pytest.approx(20, abs=0.01)


def test_ssim_agrees_with_numpy() -> None:
    photos = pictures(1, 40)
    stylized = 0.6 * photos + 0.3 * pictures(1, 40, seed=1)
    x, y = (np.tensordot([0.2126, 0.7152, 0.0722], p[0].double().numpy(), axes=1) for p in (photos, stylized))
    taps = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2

    def blur(z: np.ndarray) -> np.ndarray:
        return np.einsum("ijkl,kl->ij", np.lib.stride_tricks.sliding_window_view(z, (11, 11)), window)

    mx, my = blur(x), blur(y)
    vx, vy, both = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    expected = ((2 * mx * my + 1e-4) * (2 * both + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean()
    assert 0.5 < expected < 0.9
    assert ssim(photos, stylized) == pytest.approx(expected, abs=2e-3)  # torchmetrics crops its margin otherwise
    assert ssim(photos, photos) == pytest.approx(1)


def test_the_equivalent_is_the_first_step_as_good_as_the_network() -> None:
    curves = [[9.0, 5.0, 3.0, 1.0], [9.0, 7.0, 3.0, 1.0]]
    assert first_step([5.0, 7.0], curves, range(2)) == 2
    assert first_step([4.0, 4.0], curves, range(2)) == 3
    assert first_step([0.5, 0.5], curves, range(2)) is None
    found = equivalent([5.0, 5.0], curves)
    assert (found.steps, found.low, found.high) == (3, 2, 3)
    assert (found.curve, found.loss) == ([9, 6, 3, 1], 5)


@pytest.fixture
def criterion(tiny_vgg: VGGFeatures) -> PerceptualLoss:
    settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights={"content": 1.0, "style": 3.0})
    return PerceptualLoss(tiny_vgg, pictures(1, 32, 1), settings)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("start", ["photo", "noise"])
def test_optimization_lowers_the_loss_in_the_steps_it_was_given(
    criterion: PerceptualLoss, optimizer: str, start: str
) -> None:
    photo = pictures(1, 32, 2)
    losses: list[float] = []
    result = optimize(
        criterion, photo, start_from(start, photo), 25, optimizer, lambda _, loss, __: losses.append(loss)
    )
    assert len(losses) == 25
    assert min(losses) < 0.7 * losses[0]
    assert (result.shape, result.min() >= 0, result.max() <= 1) == (photo.shape, True, True)


def test_lbfgs_gives_the_best_picture_it_saw(criterion: PerceptualLoss) -> None:
    photo = pictures(1, 32, 2)
    losses: list[float] = []
    result = optimize(criterion, photo, photo, 7, "lbfgs", lambda _, loss, __: losses.append(loss))
    with torch.no_grad():
        reached = float(criterion.total(result, photo))
    assert reached <= 1.05 * min(losses)  # the picture is cut to [0, 1] at the end


def test_every_start_and_optimizer_has_an_equivalent(criterion: PerceptualLoss) -> None:
    found = equivalents(TransformerNet(NetworkSettings(4, 1)), criterion, pictures(2, 32, 3), steps=4)
    assert set(found) == {"photo/lbfgs", "photo/adam", "noise/lbfgs", "noise/adam"}
    for each in found.values():
        assert len(each.curve) == 4
        assert each.curve == sorted(each.curve, reverse=True)


def test_lpips_without_its_weights_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="AlexNet"):
        lpips(pictures(1, 64), pictures(1, 64))


def test_the_judge_gives_the_photo_1_and_the_painting_0() -> None:
    judge, (photo, painting) = VGGFeatures(tiny_weights(last="conv4_3")), pictures(2, 64, 5)[:, None]
    assert style_ratio_vgg16(judge, painting, photo, photo) == pytest.approx(1)
    assert style_ratio_vgg16(judge, painting, photo, painting) == pytest.approx(0)


def test_there_is_no_share_of_a_photo_that_is_the_painting() -> None:
    judge, (photo, painting) = VGGFeatures(tiny_weights(last="conv4_3")), pictures(2, 64, 5)[:, None]
    assert style_ratio_vgg16(judge, painting, torch.cat([photo, painting]), torch.cat([photo, photo])) is None


def test_the_judge_compares_grams_as_numpy_does() -> None:
    judge, photos = VGGFeatures(tiny_weights(last="conv4_3")), pictures(5, 64, 6)
    painting, stylized, photos = photos[:1], photos[1:3], photos[3:]

    def distance(picture: torch.Tensor) -> float:
        left = 0.0
        for layer in LAYERS:
            own, wanted = (
                np.einsum("cn,dn->cd", flat, flat) / flat.shape[1]
                for flat in (judge(x, [layer])[layer][0].flatten(1).double().numpy() for x in (picture, painting))
            )
            left += ((own - wanted) ** 2).sum() / (wanted**2).sum() / 4
        return left

    expected = np.mean([distance(stylized[[k]]) / distance(photos[[k]]) for k in range(2)])
    assert style_ratio_vgg16(judge, painting, photos, stylized) == pytest.approx(expected, rel=1e-4)
