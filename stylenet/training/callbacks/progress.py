"""Progress of a training: a bar with the time left, or plain lines where there is no terminal."""

import logging
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from tqdm import tqdm

from stylenet.device import peak_memory
from stylenet.training.loggers import log_metrics

log = logging.getLogger(__name__)

REFRESH = 1.0  # seconds between two looks at the losses: each look makes a GPU wait
LINES, LINE_SECONDS = 10, 180.0  # without a terminal: a line each tenth of the run, and at least every three minutes


class Progress(Callback):
    """A bar with time left, images per second and the weighted losses; at the end, what the run took.

    Without a terminal, plain lines instead of the bar. `speed` holds the images per second of the whole run.
    """

    def __init__(self) -> None:
        self.images = self.images_shown = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        total = trainer.max_steps if trainer.max_steps > 0 else None
        self.bar = tqdm(total=total, initial=trainer.global_step, unit="step", mininterval=REFRESH, disable=None)
        self.began = self.shown_at = self.line_at = time.perf_counter()
        self.first = self.shown = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Tensor, index: int
    ) -> None:
        self.images += len(batch) * trainer.world_size
        seconds = time.perf_counter() - self.shown_at
        if seconds < REFRESH and trainer.global_step != trainer.max_steps:
            return
        speed = (self.images - self.images_shown) / seconds
        terms = " ".join(f"{name.removeprefix('loss/')} {value:.3f}" for name, value in losses(trainer).items())
        if self.bar.disable:
            self.log_line(trainer.global_step, trainer.max_steps, f"{speed:.1f} images/s, {terms}")
        else:
            self.bar.set_postfix_str(f"{speed:.1f} images/s, {terms}", refresh=False)
            self.bar.update(trainer.global_step - self.bar.n)
        log_metrics(trainer.loggers, {"speed/images_per_second": speed}, trainer.global_step)
        self.shown_at, self.shown, self.images_shown = time.perf_counter(), trainer.global_step, self.images

    def log_line(self, step: int, steps: int, figures: str) -> None:
        """Logs a line where a tenth of the run, or `LINE_SECONDS`, passed since the last one."""
        steps, now = max(1, steps), time.perf_counter()
        if LINES * step // steps == LINES * self.shown // steps and now - self.line_at < LINE_SECONDS:
            return
        left = max(0.0, (now - self.began) / max(1, step - self.first) * (steps - step))
        log.info("step %d of %d, %d:%02d min left, %s", step, steps, left // 60, left % 60, figures)
        self.line_at = now

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar.close()
        seconds, memory = time.perf_counter() - self.began, peak_memory(module.device)
        speed = self.images / seconds
        figures = {"memory/peak_gib": memory}
        text = f"{speed:.1f} images/s, peak memory {memory:.2f} GiB"
        if (waited := seconds_waited(trainer)) is not None:
            figures["speed/waiting"] = waited / seconds
            text += f", data loader stalled {100 * waited / seconds:.1f} % of the time"
        log.info(text)
        log_metrics(trainer.loggers, figures, trainer.global_step)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if hasattr(self, "bar"):
            self.bar.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, module, "fit")


def seconds_waited(trainer: pl.Trainer) -> float | None:
    """Seconds that the training waited for photos, where the data module counts them."""
    data = getattr(trainer, "datamodule", None)
    waited = getattr(data, "waited", None)
    return None if waited is None else float(waited)


def losses(trainer: pl.Trainer) -> dict[str, float]:
    """The weighted losses that were logged last."""
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("loss/")}
