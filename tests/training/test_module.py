"""The rate schedule, the module, and the callbacks around it."""

import signal
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader, TensorDataset

from stylenet.data.datamodule import PhotoCrops
from stylenet.errors import UserError
from stylenet.evaluation.appearance import PaintingFigures
from stylenet.evaluation.contact_sheet import GAP, contact_sheet
from stylenet.evaluation.held_out import held_out_losses, stylized_by
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.signals import ending_signals
from stylenet.training import budget
from stylenet.training.budget import steps_in
from stylenet.training.callbacks.contact_sheets import ContactSheets
from stylenet.training.callbacks.progress import Progress
from stylenet.training.callbacks.stop_on_signal import StopOnSignal
from stylenet.training.module import StyleTransferModule
from stylenet.training.step import rate_factor, total_of

BATCH = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
OPTIONS = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}


@pytest.fixture
def module(tiny_vgg: VGGFeatures) -> StyleTransferModule:
    painting = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights={"content": 1.0, "style": 3.0})
    network = initialize(TransformerNet(NetworkSettings(4, 1)), 0)
    return StyleTransferModule(network, PerceptualLoss(tiny_vgg, painting, settings), 60, 1e-2)


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


def test_the_loss_falls_on_two_photos(module: StyleTransferModule) -> None:
    batch = BATCH
    optimizer = torch.optim.Adam(module.network.parameters(), lr=1e-2)
    totals = []
    for _ in range(40):
        total = total_of(module.weighted_losses(batch, 0))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.6 * totals[0]


def test_a_checkpoint_holds_the_network_and_no_loss_network(module: StyleTransferModule) -> None:
    assert all(name.startswith("network.") for name in module.state_dict())


def crops() -> PhotoCrops:
    noise = torch.Generator().manual_seed(3)
    arrays = [torch.randint(0, 256, (40, 48, 3), dtype=torch.uint8, generator=noise) for _ in range(3)]
    return PhotoCrops(arrays, crop=32, batch=2, held_out=torch.stack([arrays[0].permute(2, 0, 1)] * 2))


def test_twice_the_minutes_are_twice_the_steps_less_what_comes_between(
    module: StyleTransferModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "seconds_per_batch", lambda *_: 0.5)
    monkeypatch.setattr(budget, "seconds_between_steps", lambda *_: 10.0)
    steps = [steps_in(minutes, module, crops(), torch.device("cpu"), 1, bf16=False) for minutes in (0.1, 1.0, 2.0)]
    assert steps == [6, 100, 220]  # of the shortest, at least half of the time


def test_a_short_run_is_timed_briefly_and_draws_few_sheets() -> None:
    assert [budget.rounds(minutes) for minutes in (0.5, 1.0, 4.0, 60.0)] == [(0, 1), (0, 1), (2, 4), (2, 4)]
    assert [budget.sheet_interval(steps) for steps in (1, 9, 25, 100, 1000)] == [1, 9, 12, 10, 50]
    assert [budget.validation_interval(steps) for steps in (25, 500)] == [50, 101]


def test_timing_teaches_nothing(module: StyleTransferModule) -> None:
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    assert steps_in(1.0, module, crops(), torch.device("cpu"), devices=1, bf16=False) > 0
    assert all(torch.equal(before[name], value) for name, value in module.network.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_share_of_a_network_that_changes_nothing_is_one(module: StyleTransferModule) -> None:
    class Nothing(TransformerNet):
        def forward(self, photos: torch.Tensor) -> torch.Tensor:
            return photos

    photos = torch.rand(3, 3, 32, 32)
    result = held_out_losses(module.criterion, photos, stylized_by(Nothing(NetworkSettings(4, 1)), photos))
    assert (result.style_ratio, result.content) == (1, 0)


def test_a_sheet_shows_the_photos_the_results_and_the_painting() -> None:
    photos, stylized = torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.5)
    sheet = contact_sheet(torch.full((1, 3, 10, 20), 0.2), photos, stylized)
    side = 2 * (8 + GAP)
    assert sheet.shape == (side, side + GAP + side, 3)
    assert sheet[0, 0].tolist() == [0, 0, 0]
    assert sheet[8 + GAP, 0].tolist() == [128, 128, 128]
    assert sheet[0, side + GAP + 2].tolist() == [51, 51, 51]


def test_a_stop_waits_for_the_end_of_a_step_and_a_second_signal_for_nothing(module: StyleTransferModule) -> None:
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_whose_exception_was_swallowed_stops_the_training(number: signal.Signals) -> None:
    with ending_signals():
        with suppress(SystemExit):
            signal.raise_signal(number)
        with StopOnSignal() as stop:
            assert stop.signal == number
    with StopOnSignal() as stop:  # a later training knows nothing of it
        assert stop.signal is None
    with ending_signals(), StopOnSignal() as stop:
        assert stop.signal is None


class Interrupted(pl.Callback):
    """SIGTERM before the first step, where the handlers are Lightning's."""

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_before_the_first_step_stops_after_it(module: StyleTransferModule) -> None:
    stop = StopOnSignal()
    trainer = pl.Trainer(max_steps=9, callbacks=[Interrupted(), stop], **OPTIONS)
    with stop, suppress(SIGTERMException):
        trainer.fit(module, datamodule=crops())
    assert (trainer.global_step, stop.signal) == (1, signal.SIGTERM)


class Metrics(pl.Callback):
    """The losses that were logged at each step, and what was minimized."""

    def __init__(self) -> None:
        self.logged: list[dict[str, float]] = []
        self.minimized: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        self.logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})
        self.minimized.append(float(outputs["loss"]) * trainer.accumulate_grad_batches)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_logged_total_has_the_stability_term_once_at_every_step(tiny_vgg: VGGFeatures, accumulated: int) -> None:
    settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights={"style": 3.0, "stability": 2.0})
    network = initialize(TransformerNet(NetworkSettings(4, 1)), 0)
    module = StyleTransferModule(network, PerceptualLoss(tiny_vgg, torch.rand(1, 3, 32, 32), settings), 60, 1e-5)
    metrics = Metrics()
    trainer = pl.Trainer(max_steps=4, callbacks=[metrics], accumulate_grad_batches=accumulated, **OPTIONS)
    trainer.fit(module, datamodule=crops())
    assert len(metrics.logged) == 4 * accumulated
    for number, (logged, minimized) in enumerate(zip(metrics.logged, metrics.minimized, strict=True)):
        assert set(logged) == {"loss/style", "loss/stability", "loss/total"}
        assert logged["loss/total"] == pytest.approx(logged["loss/style"] + logged["loss/stability"])
        expected = logged["loss/style"] + (4 * logged["loss/stability"] if number % 4 == 0 else 0)
        assert minimized == pytest.approx(expected, rel=1e-5)


def test_a_checkpoint_alone_brings_back_a_network_that_predicts(module: StyleTransferModule, tmp_path: Path) -> None:
    trainer = pl.Trainer(max_steps=2, **OPTIONS)
    trainer.fit(module, datamodule=crops())
    trainer.save_checkpoint(tmp_path / "two.ckpt")
    loaded = StyleTransferModule.load_from_checkpoint(tmp_path / "two.ckpt", map_location="cpu", weights_only=True)
    assert (loaded.steps, loaded.learning_rate) == (60, 1e-2)
    (predicted,) = pl.Trainer(**OPTIONS).predict(loaded, DataLoader(TensorDataset(BATCH), batch_size=2))
    torch.testing.assert_close(predicted, module(BATCH).detach())
    with pytest.raises(UserError, match="without a criterion"):
        loaded.training_step(BATCH, 0)


def test_validation_during_a_run_has_the_figures_of_the_end_and_leaves_the_weights(tiny_vgg: VGGFeatures) -> None:
    weights = []
    for interval in (1, 1000):
        painting = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
        settings = LossSettings(["relu2_2"], ["relu1_1"], weights={"style": 3.0, "stability": 1.0})
        network = initialize(TransformerNet(NetworkSettings(4, 1)), 0)
        module, data = StyleTransferModule(network, PerceptualLoss(tiny_vgg, painting, settings), 3, 1e-2), crops()
        trainer = pl.Trainer(
            max_steps=3, val_check_interval=interval, check_val_every_n_epoch=None, num_sanity_val_steps=0, **OPTIONS
        )
        trainer.fit(module, datamodule=data)
        weights.append(module.network.state_dict())
        if interval == 1:
            photos = data.held_out.float() / 255
            expected = held_out_losses(module.required_criterion, photos, stylized_by(module.network, photos))
            found = {name: float(trainer.callback_metrics[f"held_out/{name}"]) for name in asdict(expected)}
            assert found == pytest.approx(asdict(expected), rel=1e-4)
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_validation_logs_how_the_results_look_beside_the_painting(tiny_vgg: VGGFeatures) -> None:
    painting = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(5))
    settings = LossSettings(["relu2_2"], ["relu1_1"], weights={"content": 1.0, "style": 1.0})
    criterion, figures = PerceptualLoss(tiny_vgg, painting, settings), PaintingFigures(painting)
    network = initialize(TransformerNet(NetworkSettings(4, 1)), 0)
    photos = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(6))
    arrays = [photo.permute(1, 2, 0) for photo in photos]
    data = PhotoCrops(arrays, crop=32, batch=2, held_out=photos)
    module = StyleTransferModule(network, criterion, 2, 1e-2, figures)
    trainer = pl.Trainer(max_steps=2, num_sanity_val_steps=0, **OPTIONS)
    trainer.validate(module, datamodule=data, verbose=False)
    each = [figures.compare(image[None], 4096) for image in stylized_by(network, photos.float() / 255)]
    for name in ("chroma", "texture", "coarse", "empty", "color_sw"):
        expected = sum(float(found[name]) for found in each) / 2
        assert float(trainer.callback_metrics[f"held_out/{name}"]) == pytest.approx(expected, rel=1e-4)


def test_photos_in_floats_train_as_the_same_photos_in_bytes(module: StyleTransferModule) -> None:
    in_bytes, in_floats = (total_of(module.weighted_losses(batch, 0)) for batch in (BATCH, BATCH.float() / 255))
    assert in_bytes.item() == in_floats.item() > 0


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (BATCH.float(), "values from 0 to 255"),
        (BATCH.float() / 127.5 - 1, "values from -1 to 1"),
        (BATCH.float() * torch.nan, "values from nan to nan"),
        (BATCH.long(), "got int64 of (2, 3, 32, 32)"),
        (BATCH.permute(0, 2, 3, 1), "got uint8 of (2, 32, 32, 3)"),
        ([BATCH, torch.zeros(2)], "got list"),
    ],
)
def test_a_batch_of_anything_but_photos_is_refused(module: StyleTransferModule, batch: Any, text: str) -> None:
    with pytest.raises(UserError, match="a batch must be a tensor of photos") as error:
        module.on_before_batch_transfer(batch, 0)
    assert str(error.value).endswith(text)
    assert module.on_before_batch_transfer([BATCH], 0) is BATCH


def test_the_callbacks_take_any_loader(module: StyleTransferModule, tmp_path: Path) -> None:
    sheets = ContactSheets(tmp_path, 1, torch.rand(1, 3, 32, 32), torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    trainer = pl.Trainer(max_steps=2, callbacks=[Progress(), sheets], **OPTIONS)
    trainer.fit(module, DataLoader(TensorDataset(BATCH.float() / 255), batch_size=1))
    assert {path.name for path in tmp_path.iterdir()} == {"000001.jpg", "000002.jpg"}
