"""Writes checkpoints so that a kill at any moment leaves a whole one."""

import io
import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint

from stylenet.disk import atomic_write
from stylenet.training.resume import is_whole
from stylenet.training.run_folder import LAST, PREVIOUS


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside the last one and renames it; what that replaces is kept as `previous.ckpt`.

    Lightning's own way is a file in /tmp that is then moved: from another file system, that is a copy into place, which
    a kill cuts short; and nothing waits for the disk.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Raises `OSError`; what was there is then still there."""
        packed = io.BytesIO()
        torch.save(checkpoint, packed)  # not into the file: of a full disk torch only says that it failed
        path = Path(path)
        with atomic_write(path) as temporary:
            temporary.write_bytes(packed.getbuffer())
            if is_whole(path):
                os.replace(path, path.with_name(PREVIOUS))


class Checkpoints(Checkpoint):
    """Writes `last.ckpt` every so many steps. `saved` is the step of the existing one, which is not written twice:
    `previous.ckpt` would then be its copy.
    """

    def __init__(self, folder: Path, every: int, saved: int) -> None:
        self.path, self.every, self.saved = folder / LAST, every, saved

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        if trainer.global_step % self.every == 0:
            self.save(trainer)

    def save(self, trainer: pl.Trainer) -> None:
        if trainer.global_step != self.saved:
            trainer.save_checkpoint(self.path)
            self.saved = trainer.global_step
