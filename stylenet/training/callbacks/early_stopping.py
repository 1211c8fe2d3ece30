"""Ends a run early whose objective no longer falls."""

import logging
import math

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping

from stylenet.training.objective import objective_value

log = logging.getLogger(__name__)


class ObjectiveStopping(EarlyStopping):
    """Lightning's `EarlyStopping` on an objective, which may be a sum of held-out figures.

    Ends the run after `patience` validations without a lower value, or after one that is not finite.
    """

    def __init__(self, objective: str, patience: int) -> None:
        super().__init__("objective", patience=patience)
        self.objective = objective

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        found = {name.removeprefix("held_out/"): float(value) for name, value in trainer.callback_metrics.items()}
        value = objective_value(self.objective, found)
        trainer.callback_metrics[self.monitor] = torch.tensor(value)
        super().on_validation_end(trainer, pl_module)
        if self.stopping_reason_message and trainer.is_global_zero:
            text = "stopped early at step %d: %s %s (patience=%d)"
            why = "no longer falls" if math.isfinite(value) else f"is {value}"
            log.info(text, trainer.global_step, self.objective, why, self.patience)
