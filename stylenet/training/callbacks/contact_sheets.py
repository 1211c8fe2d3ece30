"""Contact sheets during a training: what the network makes of fixed photos, and the artifacts in it."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from stylenet.evaluation.artifacts import Artifacts, artifacts, complaints
from stylenet.evaluation.contact_sheet import contact_sheet, save_sheet
from stylenet.training.loggers import log_metrics, log_sheet

log = logging.getLogger(__name__)


class ContactSheets(Callback):
    """A contact sheet of fixed photos every so many steps, in the run folder and in the loggers.

    Their artifacts are measured, and each kind is logged as a line when it first appears in the second half of the run:
    before that a grid is nothing unusual.
    """

    def __init__(
        self, folder: Path, every: int, painting: Float[Tensor, "1 3 p q"], photos: UInt8[Tensor, "n 3 h w"]
    ) -> None:
        self.folder, self.every = folder, every
        self.painting, self.photos = painting, photos.float() / 255
        self.reported: set[str] = set()
        self.drawn = 0  # the step of the last sheet; with gradient accumulation a step ends several batches

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        due = trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps
        if due and trainer.global_step != self.drawn:
            self.draw(trainer, module)
            self.drawn = trainer.global_step

    @torch.no_grad()
    def draw(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        stylized = module(self.photos.to(module.device)).cpu()
        self.inspect(trainer, artifacts(self.photos, stylized))
        sheet = contact_sheet(self.painting, self.photos, stylized)
        save_sheet(sheet, self.folder / f"{trainer.global_step:06d}.jpg")
        log_sheet(trainer.loggers, sheet, trainer.global_step)

    def inspect(self, trainer: pl.Trainer, found: Artifacts) -> None:
        """Logs the artifacts, and warns of new kinds."""
        figures = {f"artifacts/{name}": value for name, value in asdict(found).items()}
        log_metrics(trainer.loggers, figures, trainer.global_step)
        if 2 * trainer.global_step < trainer.max_steps and not found.not_finite:
            return
        for kind, text in complaints(found).items():
            if kind not in self.reported:
                log.warning("step %d: the stylized photos show an artifact, %s", trainer.global_step, text)
            self.reported.add(kind)
