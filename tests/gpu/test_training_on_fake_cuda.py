"""The training step, its guard, evaluation and optimization on fake CUDA tensors, which have devices but no values.

A tensor on the wrong device, a copy between host and device, and any read of a value fail here. Autograd's own engine
and the kernels themselves are not run.
"""

import pytest
import pytorch_lightning as pl
import torch
from fake_cuda import CUDA, Drawn, Transfers, moved
from made_up_vgg import tiny_weights
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.nn.utils import clip_grad_norm_

from stylenet.evaluation.held_out import photo_by_photo
from stylenet.evaluation.optimization import start_from
from stylenet.losses import stability
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.terms import LOSS_TERMS
from stylenet.losses.vgg import VGGFeatures
from stylenet.models.transformer_net import NetworkSettings, TransformerNet
from stylenet.training.callbacks.recovery import NonFiniteGuard
from stylenet.training.module import StyleTransferModule, make_optimizer
from stylenet.training.step import total_of

WEIGHTS = dict.fromkeys(LOSS_TERMS, 1.0)
SHIFT = stability.draw_shift_and_noise(0)  # on the host, where reading a value costs nothing


@pytest.fixture
def module(fake: FakeTensorMode, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> StyleTransferModule:
    """A module whose network, loss network and painting are on the GPU."""
    with unset_fake_temporarily():
        settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights=WEIGHTS)
        criterion = PerceptualLoss(VGGFeatures(tiny_weights()), torch.rand(1, 3, 32, 32), settings)
        made = StyleTransferModule(TransformerNet(NetworkSettings(4, 1, waves=3)), criterion, flat_areas=1.0)
    moved(made)
    monkeypatch.setattr(stability, "draw_shift_and_noise", lambda number: SHIFT)
    return made


def batch(dtype: torch.dtype = torch.uint8) -> Tensor:
    return torch.empty(2, 3, 64, 64, dtype=dtype, device=CUDA)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("number", [0, 1])
def test_a_step_with_every_term_stays_on_the_gpu(module: StyleTransferModule, dtype: torch.dtype, number: int) -> None:
    photos = batch(dtype)
    with Transfers() as transfers, torch.autocast("cuda", torch.bfloat16):
        values = module.weighted_losses(photos, number)
        total = total_of(values)
    assert set(values) == set(WEIGHTS) - ({"stability"} if number else set())
    assert all(value.device == CUDA for value in (*values.values(), total))
    assert transfers.copies == []


def test_guard_clipping_and_optimizer_wait_for_nothing(module: StyleTransferModule) -> None:
    guard, trainer = NonFiniteGuard(50, torch.zeros(1, 3, 32, 32, dtype=torch.uint8)), pl.Trainer(logger=False)
    guard.photo, guard.finite = guard.photo.to(CUDA), torch.empty((), dtype=torch.bool, device=CUDA)
    guard.consecutive_skips = guard.skipped = torch.empty((), dtype=torch.int64, device=CUDA)
    optimizer = make_optimizer(module.learned(), 1e-3)
    assert optimizer.defaults["fused"]
    for weight in module.network.parameters():
        weight.grad = torch.empty_like(weight)
    with Transfers() as transfers:
        guard.on_before_backward(trainer, module, torch.empty((), device=CUDA))
        guard.on_before_optimizer_step(trainer, module, optimizer)
        clip_grad_norm_(module.network.parameters(), 10.0)
    assert optimizer.found_inf.device == CUDA  # type: ignore[attr-defined]
    assert transfers.copies == []


def test_validation_and_prediction_stay_on_the_gpu(module: StyleTransferModule) -> None:
    photos = batch()
    with Transfers() as transfers:
        (first, _) = photo_by_photo(module.required_criterion, module.network, photos.float() / 255)
        predicted = module.predict_step(photos, 0)
    assert all(value.device == CUDA for value in (*first.values(), predicted))
    assert transfers.copies == []


def test_a_loss_to_optimize_an_image_by_stays_on_the_gpu(module: StyleTransferModule) -> None:
    photo = batch(torch.float32)[:1]
    with Transfers() as transfers:
        total = module.required_criterion.total(start_from("photo", photo), photo)
    assert total.device == CUDA
    assert transfers.copies == []
