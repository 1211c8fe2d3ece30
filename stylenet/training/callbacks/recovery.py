"""When the numbers of a run go bad: steps are left out, then the run goes back at half the rate, then it gives up."""

import logging
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from stylenet.distributed import anywhere
from stylenet.errors import UserError
from stylenet.training.loggers import log_metrics
from stylenet.training.module import StyleTraining

log = logging.getLogger(__name__)

ROW = 10  # steps left out one after another; with 16-bit floats a few are nothing unusual at the start
ROLLBACKS = 3
BLANK = 1 / 255  # what a color spans, at most, in a picture with nothing on it
KEY = "recovery"  # in the checkpoint


class GaveUpError(UserError):
    """A training that went bad again and again; its network is the last good one, that of step `step`."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Recovery(Callback):
    """Keeps bad numbers out of the network.

    A step whose loss or gradient is not finite, or whose gradient is zero, is left out: weights and Adam's state stay
    as they are. That is decided on the device. At a look, every `every` steps (a GPU has to wait for it), the counters
    are read and the network is shown a photo. After `ROW` steps left out one after another, or when it paints nothing,
    weights and Adam's state become those of the last look that found nothing wrong, at half the rate. Steps and photos
    are counted on, so that the same batch is not met again. All of this goes on exactly in a resumed run.

    Raises `GaveUpError` when it went back `ROLLBACKS` times before.
    """

    def __init__(self, every: int, photo: UInt8[Tensor, "1 3 s s"]) -> None:
        self.every, self.photo = every, photo.float() / 255
        self.row, self.left_out = torch.tensor(0), torch.tensor(0)  # steps
        self.told = self.rollbacks = self.good_step = 0
        self.good: dict[str, Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.photo, self.row, self.left_out = (
            tensor.to(module.device) for tensor in (self.photo, self.row, self.left_out)
        )
        self.finite = torch.tensor(True, device=module.device)
        self.looked = trainer.global_step
        if self.good is None:
            self.keep(trainer, module)

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor) -> None:
        self.finite = self.finite & loss.detach().isfinite()

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Optimizer) -> None:
        norm = get_total_norm([weight.grad for weight in module.parameters() if weight.grad is not None])
        bad = anywhere(~(self.finite & norm.isfinite() & (norm > 0)))
        self.row, self.left_out = (self.row + 1) * bad, self.left_out + bad
        self.finite = torch.ones_like(self.finite)
        optimizer.found_inf = bad.float()  # type: ignore[attr-defined]  # fused Adam then does nothing

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        due = trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps
        if due and trainer.global_step != self.looked:  # with gradient accumulation a step ends several batches
            self.looked = trainer.global_step
            self.look(trainer, module)

    def look(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        left_out, row = int(self.left_out), int(self.row)
        news = left_out - self.told
        assert isinstance(module, StyleTraining)
        wrong = f"the last {row} steps had to be left out" if row >= ROW else complaint(module.network, self.photo)
        if news:
            reason = "their loss or gradient was not finite, or the gradient was zero"
            log.warning("step %d: %d steps were left out: %s", trainer.global_step, news, reason)
        if wrong or news:
            rollbacks = self.rollbacks + bool(wrong)
            figures = {"recovery/left_out": float(left_out), "recovery/rollbacks": float(rollbacks)}
            log_metrics(trainer.loggers, figures, trainer.global_step)
        self.told = left_out
        if wrong:
            self.go_back(trainer, module, wrong)
        elif row == 0 and 2 * news < self.every:  # else it hardly learns
            self.keep(trainer, module)

    def keep(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.good_step = trainer.global_step
        self.good = deepcopy({"network": module.state_dict(), "adam": trainer.optimizers[0].state_dict()["state"]})

    def go_back(self, trainer: pl.Trainer, module: pl.LightningModule, wrong: str) -> None:
        """To the last good state, at half the rate from then on. Raises `GaveUpError`."""
        assert self.good is not None
        optimizer, good = trainer.optimizers[0], deepcopy(self.good)
        module.load_state_dict(good["network"])
        optimizer.load_state_dict({**optimizer.state_dict(), "state": good["adam"]})
        if self.rollbacks == ROLLBACKS:
            problem = f"step {trainer.global_step}: {wrong}, and going back {ROLLBACKS} times did not help"
            raise GaveUpError(f"{problem}; try a lower learning_rate", self.good_step)
        self.rollbacks += 1
        self.row = torch.zeros_like(self.row)
        rate = halve_rate(trainer)
        log.warning(
            "step %d: %s; back to the network of step %d, at a learning rate of %g",
            trainer.global_step, wrong, self.good_step, rate,
        )  # fmt: skip

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = {
            "row": int(self.row),
            "left_out": int(self.left_out),
            "told": self.told,
            "rollbacks": self.rollbacks,
            "good_step": self.good_step,
            # The usual case, in which it is what the checkpoint holds anyway.
            "good": None if self.good_step == trainer.global_step else self.good,
        }

    def on_load_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint[KEY]
        self.row, self.left_out = torch.tensor(saved["row"]), torch.tensor(saved["left_out"])
        self.told, self.rollbacks = saved["told"], saved["rollbacks"]
        self.good_step, self.good = saved["good_step"], saved["good"]


def halve_rate(trainer: pl.Trainer) -> float:
    """The new rate at the top of the schedule."""
    (schedule,) = (config.scheduler for config in trainer.lr_scheduler_configs)
    schedule.base_lrs = [rate / 2 for rate in schedule.base_lrs]
    for group in trainer.optimizers[0].param_groups:
        group["lr"] /= 2
    return float(schedule.base_lrs[0])


@torch.no_grad()
def complaint(network: nn.Module, photo: Float[Tensor, "1 3 s s"]) -> str | None:
    """What is wrong with the picture that the network makes of a photo, if anything."""
    picture = network(photo)
    blank = picture.amax((2, 3)) - picture.amin((2, 3)) < BLANK
    return "the network paints nothing but one color" if bool(blank.all()) else None
