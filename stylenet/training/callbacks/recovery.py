"""Skips non-finite steps, rolls back, then gives up."""

import logging
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Bool, Float, UInt8
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from stylenet.distributed import any_rank
from stylenet.errors import UserError
from stylenet.training.loggers import log_metrics

log = logging.getLogger(__name__)

MAX_CONSECUTIVE_SKIPS = 10  # steps; with 16-bit floats a few are nothing unusual at the start
ROLLBACKS = 3
BLANK = 1 / 255  # what a color spans, at most, in an image with nothing on it
KEY = "recovery"  # in the checkpoint


class GaveUpError(UserError):
    """A training that went bad again and again; its network is the last good one, that of step `step`."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class NonFiniteGuard(Callback):
    """Keeps non-finite numbers out of the network.

    A step whose loss or gradient is not finite, or whose gradient is zero, is skipped: weights and Adam's state stay
    as they are. With a fused Adam that is decided on the device. At an inspection, every `every` steps (a GPU has to
    wait for it), the counters are read and the network is shown a photo. After `MAX_CONSECUTIVE_SKIPS` steps skipped
    one after another, or when the output is of one color, weights and Adam's state become those of the last inspection
    that found nothing wrong, at half the rate. Steps and photos are counted on, so that the same batch is not met
    again. A resumed run continues all of this exactly.

    Raises `GaveUpError` after `ROLLBACKS` rollbacks.
    """

    def __init__(self, every: int, photo: UInt8[Tensor, "1 3 s s"]) -> None:
        self.every, self.photo = every, photo.float() / 255
        self.consecutive_skips, self.skipped = torch.tensor(0), torch.tensor(0)  # steps
        self.reported = self.rollbacks = self.snapshot_step = 0
        self.snapshot: dict[str, Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.photo, self.consecutive_skips, self.skipped = (
            tensor.to(module.device) for tensor in (self.photo, self.consecutive_skips, self.skipped)
        )
        self.finite = torch.tensor(True, device=module.device)
        self.inspected = trainer.global_step
        if self.snapshot is None:
            self.take_snapshot(trainer, module)

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor) -> None:
        self.finite = self.finite & loss.detach().isfinite()

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Optimizer) -> None:
        norm = get_total_norm([weight.grad for weight in module.parameters() if weight.grad is not None])
        bad = any_rank(~(self.finite & norm.isfinite() & (norm > 0)))
        self.consecutive_skips, self.skipped = (self.consecutive_skips + 1) * bad, self.skipped + bad
        self.finite = torch.ones_like(self.finite)
        skip_step(optimizer, bad)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        due = trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps
        if due and trainer.global_step != self.inspected:  # with gradient accumulation a step ends several batches
            self.inspected = trainer.global_step
            self.inspect(trainer, module)

    def inspect(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        skipped, row = int(self.skipped), int(self.consecutive_skips)
        news = skipped - self.reported
        wrong = complaint(module, self.photo)
        if row >= MAX_CONSECUTIVE_SKIPS:
            wrong = f"the last {row} steps had to be skipped"
        if news:
            reason = "their loss or gradient was not finite, or the gradient was zero"
            log.warning("step %d: %d steps were skipped: %s", trainer.global_step, news, reason)
        if wrong or news:
            rollbacks = self.rollbacks + bool(wrong)
            figures = {"recovery/left_out": float(skipped), "recovery/rollbacks": float(rollbacks)}
            log_metrics(trainer.loggers, figures, trainer.global_step)
        self.reported = skipped
        if wrong:
            self.roll_back(trainer, module, wrong)
        elif row == 0 and 2 * news < self.every:  # else it hardly learns
            self.take_snapshot(trainer, module)

    def take_snapshot(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.snapshot_step = trainer.global_step
        self.snapshot = deepcopy({"network": module.state_dict(), "adam": trainer.optimizers[0].state_dict()["state"]})

    def roll_back(self, trainer: pl.Trainer, module: pl.LightningModule, wrong: str) -> None:
        """Restores the last good state, and halves the rate from then on. Raises `GaveUpError`."""
        assert self.snapshot is not None
        optimizer, good = trainer.optimizers[0], deepcopy(self.snapshot)
        module.load_state_dict(good["network"])
        optimizer.load_state_dict({**optimizer.state_dict(), "state": good["adam"]})
        if self.rollbacks == ROLLBACKS:
            problem = f"step {trainer.global_step}: {wrong}, gave up after {ROLLBACKS} rollbacks"
            raise GaveUpError(f"{problem}; try a lower learning_rate", self.snapshot_step)
        self.rollbacks += 1
        self.consecutive_skips = torch.zeros_like(self.consecutive_skips)
        rate = halve_rate(trainer)
        log.warning(
            "step %d: %s; back to the network of step %d, at a learning rate of %g",
            trainer.global_step, wrong, self.snapshot_step, rate,
        )  # fmt: skip

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = {
            "row": int(self.consecutive_skips),
            "left_out": int(self.skipped),
            "told": self.reported,
            "rollbacks": self.rollbacks,
            "good_step": self.snapshot_step,
            # The usual case, in which it is what the checkpoint holds anyway.
            "good": None if self.snapshot_step == trainer.global_step else self.snapshot,
        }

    def on_load_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        if (saved := checkpoint.get(KEY)) is None:
            return
        self.consecutive_skips, self.skipped = torch.tensor(saved["row"]), torch.tensor(saved["left_out"])
        self.reported, self.rollbacks = saved["told"], saved["rollbacks"]
        self.snapshot_step, self.snapshot = saved["good_step"], saved["good"]


def skip_step(optimizer: Optimizer, bad: Bool[Tensor, ""]) -> None:
    """Makes the optimizer's next step do nothing if it is `bad`; a fused optimizer decides that on the device."""
    if optimizer.defaults.get("fused"):
        optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
    elif bool(bad):  # makes a GPU wait
        optimizer.zero_grad()  # nothing is done about weights without a gradient


def halve_rate(trainer: pl.Trainer) -> float:
    """The new rate at the top of the schedule."""
    (schedule,) = (config.scheduler for config in trainer.lr_scheduler_configs)
    schedule.base_lrs = [rate / 2 for rate in schedule.base_lrs]
    for group in trainer.optimizers[0].param_groups:
        group["lr"] /= 2
    return float(schedule.base_lrs[0])


@torch.no_grad()
def complaint(network: nn.Module, photo: Float[Tensor, "1 3 s s"]) -> str | None:
    """Describes what is wrong with the stylized photo, if anything."""
    image = network(photo)
    lively = image.amax((2, 3)) - image.amin((2, 3)) >= BLANK  # of NaN nothing is
    return None if bool(lively.any()) else "the output collapsed to one color"
