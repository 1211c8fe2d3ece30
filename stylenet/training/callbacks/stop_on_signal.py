"""Ends a training in good order on SIGINT, SIGTERM or SIGHUP."""

import signal
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from stylenet.distributed import any_rank
from stylenet.signals import leave_terminal, received, signals_to_handle

ASK_EVERY = 10  # steps: each asking makes a GPU wait


class StopOnSignal(Callback):
    """Ends the training after the current step on SIGINT, SIGTERM or SIGHUP, as if it had been its last.

    What follows the training (the style file, the last line) then still happens; Lightning's own handling would
    end the process at once. As a context around the training, it holds signals off, and knows of one from before it
    whose exception was swallowed. A second signal is not waited for. `signal` holds the number of what came. In a
    thread other than the main one, which gets no signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __enter__(self) -> "StopOnSignal":
        self.previous = self.catch()
        if self.signal is None and received:
            self.signal = received[0]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def catch(self) -> dict[signal.Signals, Any]:
        """Sets the handlers. Returns those before."""
        return {number: signal.signal(number, self.note) for number in signals_to_handle()}

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise SystemExit(128 + number)  # Lightning would turn a KeyboardInterrupt into exit code 1
        leave_terminal()
        self.signal = number

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.catch()  # without Lightning's, which comes first otherwise and ends the training in the middle of a step

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_number: int
    ) -> None:
        # Not between the batches of one step, whose gradient no checkpoint holds.
        if (batch_number + 1) % trainer.accumulate_grad_batches == 0 and self.agreed(trainer, module.device):
            trainer.should_stop = True
            trainer.limit_val_batches = 0  # it would validate first, and nothing would be saved for as long

    def agreed(self, trainer: pl.Trainer, device: torch.device) -> bool:
        """Whether to stop here. Several processes have to stop at the same step, and ask each other now and then."""
        asked = self.signal is not None
        if trainer.world_size == 1:
            return asked
        return trainer.global_step % ASK_EVERY == 0 and bool(any_rank(torch.tensor(asked, device=device)))
