"""Bad numbers: poisoned losses and gradients, absurd rates, networks that paint nothing."""

import copy
import csv
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from runs import SMALL, Run
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from stylenet.data import held_out_photos
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures
from stylenet.models.style_file import read_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.training.callbacks.checkpoints import WholeCheckpoints
from stylenet.training.callbacks.recovery import (
    MAX_CONSECUTIVE_SKIPS,
    ROLLBACKS,
    GaveUpError,
    NonFiniteGuard,
    complaint,
)
from stylenet.training.module import StyleTransferModule

QUIET = ["logger.sheet_every=1000"]
PHOTO = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


class Batches(IterableDataset[Tensor]):
    """A batch known by its number, without end."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            generator = torch.Generator().manual_seed(self.first)
            yield torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=generator)
            self.first += 1


class Data(pl.LightningDataModule):
    """The batches from the one on that would have come next."""

    def train_dataloader(self) -> DataLoader[Tensor]:
        assert self.trainer is not None
        first = self.trainer.global_step * self.trainer.accumulate_grad_batches
        return DataLoader(Batches(first), batch_size=None)


class Poisoned(StyleTransferModule):
    """Gets bad numbers with some of its batches, counted from 0."""

    bad_losses: tuple[int, ...] = ()
    bad_gradients: tuple[int, ...] = ()

    def on_train_start(self) -> None:
        self.count = self.global_step * self.trainer.accumulate_grad_batches

    def weighted_losses(self, batch: Tensor, number: int) -> dict[str, Tensor]:
        losses = super().weighted_losses(batch, number)
        weight = next(self.network.parameters())
        if self.count in self.bad_losses:
            losses["style"] = losses["style"] / 0
        if self.count in self.bad_gradients:  # the root of 0 is 0, its slope there is not finite
            losses["style"] = losses["style"] + (weight - weight.detach()).abs().sum().sqrt()
        self.count += 1
        return losses


class Watch(Callback):
    """Remembers weights and Adam's state after each step."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        state = dict(module.state_dict())
        for index, values in trainer.optimizers[0].state_dict()["state"].items():
            state |= {f"{index} {name}": value for name, value in values.items()}
        self.states.append(copy.deepcopy(state))


@pytest.fixture
def poisoned(tiny_vgg: VGGFeatures) -> Callable[..., Poisoned]:
    def made(**poison: tuple[int, ...]) -> Poisoned:
        settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights={"content": 1.0, "style": 3.0})
        painting = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
        network = initialize(TransformerNet(NetworkSettings(4, 1)), 0)
        module = Poisoned(network, PerceptualLoss(tiny_vgg, painting, settings), 60, 1e-2)
        module.__dict__.update(poison)
        return module

    return made


def trainer(steps: int, *callbacks: Callback, accumulate: int = 1) -> pl.Trainer:
    return pl.Trainer(
        max_steps=steps, callbacks=list(callbacks), accumulate_grad_batches=accumulate, accelerator="cpu",
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        gradient_clip_val=10.0, plugins=[WholeCheckpoints()],
    )  # fmt: skip


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "stylenet.training.callbacks.recovery"]


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("poison", [{"bad_losses": (2,)}, {"bad_gradients": (2,)}])
def test_a_bad_step_is_left_out_and_nothing_else(
    poisoned: Callable[..., Poisoned], poison: dict[str, tuple[int, ...]]
) -> None:
    watch, recovery = Watch(), NonFiniteGuard(50, PHOTO)
    trainer(5, recovery, watch).fit(poisoned(**poison), datamodule=Data())
    same = [equal(*pair) for pair in pairwise(watch.states)]
    assert same == [False, True, False, False]
    assert int(recovery.skipped) == 1
    assert all(bool(value.isfinite().all()) for value in watch.states[-1].values())


def test_one_bad_batch_of_several_leaves_their_whole_step_out(poisoned: Callable[..., Poisoned]) -> None:
    watch = Watch()
    trainer(3, NonFiniteGuard(50, PHOTO), watch, accumulate=2).fit(poisoned(bad_losses=(2,)), datamodule=Data())
    after = watch.states[1::2]  # each second batch ends a step
    assert [equal(*pair) for pair in pairwise(after)] == [True, False]


def test_a_row_of_bad_steps_goes_back_to_the_last_good_state_at_half_the_rate(
    poisoned: Callable[..., Poisoned], caplog: pytest.LogCaptureFixture
) -> None:
    watch, recovery = Watch(), NonFiniteGuard(5, PHOTO)
    module = poisoned(bad_losses=tuple(range(8, 8 + MAX_CONSECUTIVE_SKIPS + 2)))
    run = trainer(20, recovery, watch)
    run.fit(module, datamodule=Data())
    assert equal(watch.states[19], watch.states[4])  # at 8 the last good look was that after the 5th step
    assert not equal(watch.states[18], watch.states[4])
    assert run.lr_scheduler_configs[0].scheduler.base_lrs == [5e-3]
    reason = "steps were skipped: their loss or gradient was not finite, or the gradient was zero"
    assert said(caplog) == [
        f"step 10: 2 {reason}",
        f"step 15: 5 {reason}",
        f"step 20: 5 {reason}",
        "step 20: the last 12 steps had to be skipped; back to the network of step 5, at a learning rate of 0.005",
    ]


class Die(Callback):
    """Lets the network paint nothing but white from a step on: it has no gradient then, and stays so."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                weight, bias = list(module.parameters())[-2:]
                weight.zero_(), bias.fill_(1000)


def test_a_network_that_paints_one_color_goes_back(
    poisoned: Callable[..., Poisoned], caplog: pytest.LogCaptureFixture
) -> None:
    watch, module = Watch(), poisoned()
    trainer(10, NonFiniteGuard(5, PHOTO), Die(6), watch).fit(module, datamodule=Data())
    assert equal(watch.states[9], watch.states[4])
    assert complaint(module.network, PHOTO.float() / 255) is None
    problem = "step 10: the output collapsed to one color; back to the network of step 5, at a learning rate of"
    assert said(caplog)[-1] == f"{problem} 0.005"


def test_it_gives_up_with_the_last_good_network(poisoned: Callable[..., Poisoned]) -> None:
    watch, module = Watch(), poisoned(bad_losses=tuple(range(3, 200)))
    with pytest.raises(GaveUpError, match=f"gave up after {ROLLBACKS} rollbacks; try a lower learning_r") as up:
        trainer(200, NonFiniteGuard(2, PHOTO), watch).fit(module, datamodule=Data())
    assert up.value.step == 2
    assert all(torch.equal(value, watch.states[1][name]) for name, value in module.state_dict().items())


def test_a_run_stopped_in_the_middle_of_it_goes_on_to_the_same_end(
    poisoned: Callable[..., Poisoned], tmp_path: Path
) -> None:
    bad = (3, *range(8, 22), *range(26, 40))
    whole, parts = Watch(), Watch()
    expected = NonFiniteGuard(5, PHOTO)
    trainer(45, expected, whole).fit(poisoned(bad_losses=bad), datamodule=Data())
    assert expected.rollbacks == 2
    path, recovery = None, NonFiniteGuard(5, PHOTO)
    for steps in (4, 10, 12, 24, 45):
        run, recovery = trainer(steps, recovery := NonFiniteGuard(5, PHOTO), parts), recovery
        run.fit(poisoned(bad_losses=bad), datamodule=Data(), ckpt_path=path, weights_only=True)
        path = tmp_path / f"{steps}.ckpt"
        run.save_checkpoint(path)
    assert len(whole.states) == len(parts.states)
    assert all(equal(*pair) for pair in zip(whole.states, parts.states, strict=True))
    assert (recovery.rollbacks, int(recovery.skipped)) == (2, int(expected.skipped))


class Unfused(Poisoned):
    """With an optimizer that has no way to skip a step on the device, as on Apple's GPUs."""

    def configure_optimizers(self) -> torch.optim.Optimizer:  # type: ignore[override]
        optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-2)
        optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
        return optimizer


def test_an_optimizer_that_is_not_fused_skips_a_bad_step_too(poisoned: Callable[..., Poisoned]) -> None:
    module, watch = poisoned(bad_gradients=(2,)), Watch()
    module.__class__ = Unfused
    trainer(5, NonFiniteGuard(50, PHOTO), watch).fit(module, datamodule=Data())
    assert [equal(*pair) for pair in pairwise(watch.states)] == [False, True, False, False]


def test_a_network_of_nan_has_something_wrong_with_it() -> None:
    photo = PHOTO.float() / 255
    assert complaint(torch.nn.Identity(), photo) is None
    network = torch.nn.Conv2d(3, 3, 1)
    torch.nn.init.constant_(network.weight, torch.nan)
    assert complaint(network, photo) == "the output collapsed to one color"


# Whole runs


def sicken() -> None:
    """From its tenth step on, this process's training has a loss that is no number."""
    whole = StyleTransferModule.weighted_losses

    def losses(module: StyleTransferModule, batch: Tensor, number: int) -> dict[str, Tensor]:
        losses = whole(module, batch, number)
        return {**losses, "style": losses["style"] * (torch.nan if number > 8 else 1)}

    StyleTransferModule.weighted_losses = losses  # type: ignore[method-assign]


def test_a_run_that_gives_up_keeps_its_last_good_network(tmp_path: Path, tiny_vgg_file: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    run = Run(work, "style=wave", f"loss_network.weights={tiny_vgg_file}", *SMALL, *QUIET, "steps=80", before=sicken)
    assert run.end() == 1
    (folder,) = work.glob("outputs/wave/*")
    kept = folder.relative_to(work) / "wave.safetensors"
    assert "Traceback" not in run.output
    assert run.output.count("back to the network of step 8, at a learning rate of") == ROLLBACKS
    assert run.output.splitlines()[-1].endswith(f"the network of step 8 is kept in {kept}")
    assert read_style(work / kept)[1].facts["training"]["steps"] == 8
    with (folder / "metrics.csv").open() as file:
        rollbacks = [row["recovery/rollbacks"] for row in csv.DictReader(file) if row["recovery/rollbacks"]]
    assert float(rollbacks[-1]) == ROLLBACKS + 1
    assert not (work / "checkpoints").exists()


def test_an_absurd_rate_is_halved_until_the_network_paints(tmp_path: Path, tiny_vgg_file: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    absurd = ["learning_rate=100", "steps=60"]
    run = Run(work, "style=wave", f"loss_network.weights={tiny_vgg_file}", *SMALL, *QUIET, *absurd)
    code = run.end()
    assert "Traceback" not in run.output
    assert "back to the network of step" in run.output
    for style_file in work.glob("outputs/wave/*/wave.safetensors"):
        network, _ = read_style(style_file)  # refuses what is not finite
        assert complaint(network, held_out_photos(256)[0][:1].float() / 255) is None  # the photo of the run's own guard
    assert (code, (work / "checkpoints").exists()) in [(0, True), (1, False)]
