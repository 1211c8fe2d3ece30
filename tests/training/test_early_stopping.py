"""Early stopping on the objective."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from runs import SMALL
from torch import Tensor
from torch.utils.data import DataLoader

from stylenet.training import budget
from stylenet.training.callbacks.early_stopping import ObjectiveStopping
from stylenet.training.objective import current_objective
from stylenet.training.settings import upgrade_settings


class Validated(pl.LightningModule):
    """Learns nothing; its validations have the figures given."""

    def __init__(self, content: list[float], style: list[float]) -> None:
        super().__init__()
        self.weight, self.figures = torch.nn.Parameter(torch.zeros(1)), list(zip(content, style, strict=True))

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return self.weight.sum()

    def validation_step(self, batch: Tensor, index: int) -> None:
        content, style = self.figures.pop(0)
        self.log_dict({"held_out/content": content, "held_out/style": style})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def steps_of(content: list[float], style: list[float], patience: int) -> int:
    """The steps of a run of at most 10, with a validation after every second one."""
    stopping = ObjectiveStopping("held_out/content+held_out/style", patience)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=10,
        check_val_every_n_epoch=None,
        val_check_interval=2,
        num_sanity_val_steps=0,
        callbacks=[stopping],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Validated(content, style)
    trainer.fit(module, DataLoader(torch.zeros(100, 1)), DataLoader(torch.zeros(1, 1)))
    return trainer.global_step


@pytest.mark.parametrize(
    ("content", "style", "patience", "steps"),
    [
        ([1, 1, 1, 1, 1], [5, 4, 3, 2, 1], 1, 10),
        ([1, 2, 3, 4, 5], [9, 7, 5, 3, 1], 1, 10),  # their sum falls
        ([1, 1, 1, 1, 1], [5, 4, 4, 4, 4], 1, 6),
        ([1, 1, 1, 1, 1], [5, 4, 5, 3, 4], 2, 10),
        ([1, 1, 1, 1, 1], [5, 4, 5, 4, 4], 2, 8),
        ([1, float("nan"), 1, 1, 1], [5, 4, 3, 2, 1], 3, 4),
    ],
)
def test_a_run_ends_where_the_objective_no_longer_falls(
    content: list[float], style: list[float], patience: int, steps: int
) -> None:
    assert steps_of([float(x) for x in content], [float(x) for x in style], patience) == steps


def test_patience_ends_a_run_that_learns_nothing_and_keeps_its_network(
    here: Callable[..., int],
    tmp_path: Path,
    tiny_vgg_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(budget, "VALIDATE_EVERY", 2)
    caplog.set_level("INFO")
    options = [f"loss_network.weights={tiny_vgg_file}", "init=null", "learning_rate=1e-12", "steps=12"]
    assert here("style=wave", "patience=1", *options, *SMALL) == 0
    assert "stopped early at step 6: held_out/content+held_out/style no longer falls" in caplog.text
    before = (tmp_path / "checkpoints/wave.safetensors").read_bytes()
    for _ in range(2):  # it is done, and stays as it is
        caplog.clear()
        assert here("style=wave", "resume=auto", "replace=true") == 0
        assert "wave: all 6 steps were done already" in caplog.text
        assert (tmp_path / "checkpoints/wave.safetensors").read_bytes() == before


def test_patience_is_at_least_one_validation(here: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    assert here("style=wave", "patience=0") == 1
    assert "patience must be at least 1, got 0" in capfd.readouterr().err


def test_an_objective_that_was_not_measured_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    steps_of([float("nan")] * 5, [1.0] * 5, 3)
    assert "is nan (patience=3)" in caplog.text


def test_an_objective_of_an_older_run_has_its_name_of_now() -> None:
    assert current_objective("held_out/content+held_out/share") == "held_out/content+held_out/style_ratio"
    assert upgrade_settings({"objective": "held_out/share"})["objective"] == "held_out/style_ratio"
