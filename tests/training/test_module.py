"""The rate schedule, the module, and the callbacks around it."""

import signal
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import IterableDataset

from stylenet.evaluation.contact_sheet import GAP, contact_sheet
from stylenet.evaluation.held_out import held_out_losses, stylized_by
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.training import module as training
from stylenet.training.callbacks.progress import StopOnSignal
from stylenet.training.module import StyleTraining, rate_factor, steps_in, total_of


class OneBatch(IterableDataset[torch.Tensor]):
    """The same two photos again and again."""

    def __init__(self, first: int) -> None:
        self.batch = torch.randint(
            0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
        )

    def __iter__(self):  # type: ignore[no-untyped-def]
        while True:
            yield self.batch


@pytest.fixture
def module(tiny_vgg: VGGFeatures) -> StyleTraining:
    painting = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights={"content": 1.0, "style": 3.0})
    network = initialize(TransformerNet(NetworkSettings(4, 1)), 0)
    return StyleTraining(network, PerceptualLoss(tiny_vgg, painting, settings), OneBatch, 60, 1e-2)


def test_the_rate_rises_for_a_tenth_of_the_run_and_falls_to_nothing() -> None:
    factors = [rate_factor(step, 1000) for step in range(1000)]
    assert factors[0] == pytest.approx(0.01)
    assert max(factors) == factors[99] == factors[100] == 1
    assert factors[100:] == sorted(factors[100:], reverse=True)
    assert factors[-1] < 1e-5


def test_a_run_of_one_step_has_a_rate() -> None:
    assert rate_factor(0, 1) == 1


def test_equal_seeds_give_equal_networks_whatever_was_drawn_before() -> None:
    first = initialize(TransformerNet(NetworkSettings(4, 1)), 7).state_dict()
    torch.rand(10)
    second = initialize(TransformerNet(NetworkSettings(4, 1)), 7).state_dict()
    other = initialize(TransformerNet(NetworkSettings(4, 1)), 8).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_the_loss_falls_on_two_photos(module: StyleTraining) -> None:
    batch = next(iter(OneBatch(0)))
    optimizer = torch.optim.Adam(module.network.parameters(), lr=1e-2)
    totals = []
    for _ in range(40):
        total = total_of(module.weighted_losses(batch, 0))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.6 * totals[0]


def test_a_checkpoint_holds_the_network_and_no_loss_network(module: StyleTraining) -> None:
    assert all(name.startswith("network.") for name in module.state_dict())


def test_twice_the_minutes_are_twice_the_steps(module: StyleTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "seconds_of_a_round", lambda *_: 0.5)
    assert steps_in(1.0, module, torch.device("cpu"), devices=1, bf16=False) == 120 * training.CYCLE
    assert steps_in(2.0, module, torch.device("cpu"), devices=1, bf16=False) == 240 * training.CYCLE


def test_timing_teaches_nothing(module: StyleTraining) -> None:
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    assert steps_in(1.0, module, torch.device("cpu"), devices=1, bf16=False) > 0
    assert all(torch.equal(before[name], value) for name, value in module.network.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_share_of_a_network_that_changes_nothing_is_one(module: StyleTraining) -> None:
    class Nothing(TransformerNet):
        def forward(self, photos: torch.Tensor) -> torch.Tensor:
            return photos

    photos = torch.rand(3, 3, 32, 32)
    result = held_out_losses(module.criterion, photos, stylized_by(Nothing(NetworkSettings(4, 1)), photos))
    assert (result.share, result.content) == (1, 0)


def test_a_sheet_shows_the_photos_the_results_and_the_painting() -> None:
    photos, stylized = torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.5)
    sheet = contact_sheet(torch.full((1, 3, 10, 20), 0.2), photos, stylized)
    side = 2 * (8 + GAP)
    assert sheet.shape == (side, side + GAP + side, 3)
    assert sheet[0, 0].tolist() == [0, 0, 0]
    assert sheet[8 + GAP, 0].tolist() == [128, 128, 128]
    assert sheet[0, side + GAP + 2].tolist() == [51, 51, 51]


def test_a_stop_waits_for_the_end_of_a_step_and_a_second_signal_for_nothing(module: StyleTraining) -> None:
    options = {"logger": False, "enable_checkpointing": False, "accelerator": "cpu", "accumulate_grad_batches": 2}
    trainer = pl.Trainer(**options)
    before = signal.getsignal(signal.SIGTERM)
    with StopOnSignal() as stop:
        signal.raise_signal(signal.SIGTERM)
        stopped = []
        for batch_number in range(2):
            stop.on_train_batch_end(trainer, module, None, None, batch_number)
            stopped.append(trainer.should_stop)
        assert (stop.signal, stopped) == (signal.SIGTERM, [False, True])
        with pytest.raises(SystemExit, match="143"):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


class Metrics(pl.Callback):
    """The losses that were logged at each step, and what was minimized."""

    def __init__(self) -> None:
        self.logged: list[dict[str, float]] = []
        self.minimized: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        self.logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})
        self.minimized.append(float(outputs["loss"]))


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_logged_total_has_the_stability_term_once_at_every_step(tiny_vgg: VGGFeatures, accumulated: int) -> None:
    settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights={"style": 3.0, "stability": 2.0})
    network = initialize(TransformerNet(NetworkSettings(4, 1)), 0)
    module = StyleTraining(network, PerceptualLoss(tiny_vgg, torch.rand(1, 3, 32, 32), settings), OneBatch, 60, 1e-5)
    metrics = Metrics()
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = pl.Trainer(max_steps=4, callbacks=[metrics], accumulate_grad_batches=accumulated, **options)
    trainer.fit(module)
    assert len(metrics.logged) == 4 * accumulated
    for number, (logged, minimized) in enumerate(zip(metrics.logged, metrics.minimized, strict=True)):
        assert set(logged) == {"loss/style", "loss/stability", "loss/total"}
        assert logged["loss/total"] == pytest.approx(logged["loss/style"] + logged["loss/stability"])
        expected = logged["loss/style"] + (2 * logged["loss/stability"] if number % 2 == 0 else 0)
        assert minimized * (accumulated if trainer else 1) == pytest.approx(expected, rel=1e-5)
