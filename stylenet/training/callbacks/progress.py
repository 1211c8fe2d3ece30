"""What a training run does besides learning: show itself, and stop when it is asked to."""

import logging
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from stylenet.data import RandomCrops
from stylenet.device import peak_memory
from stylenet.distributed import anywhere
from stylenet.evaluation.artifacts import Artifacts, artifacts, complaints
from stylenet.evaluation.contact_sheet import contact_sheet, save_sheet
from stylenet.training.loggers import log_metrics, log_sheet
from stylenet.training.module import StyleTraining

log = logging.getLogger(__name__)

ASK_EVERY = 10  # steps: each asking makes a GPU wait
REFRESH = 1.0  # seconds between two looks at the losses: each look makes a GPU wait
LINES, LINE_SECONDS = 10, 180.0  # without a terminal: a line each tenth of the run, and at least every three minutes


class Progress(Callback):
    """A bar with time left, images per second and the weighted losses; at the end, what the run took.

    Without a terminal, plain lines instead of the bar.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar = tqdm(
            total=trainer.max_steps, initial=trainer.global_step, unit="step", mininterval=REFRESH, disable=None
        )
        self.began = self.looked = self.told = time.perf_counter()
        self.first = self.step = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        seconds = time.perf_counter() - self.looked
        if seconds < REFRESH and trainer.global_step < trainer.max_steps:
            return
        speed = self.images(trainer, self.step) / seconds
        terms = " ".join(f"{name.removeprefix('loss/')} {value:.3f}" for name, value in losses(trainer).items())
        if self.bar.disable:
            self.tell(trainer.global_step, trainer.max_steps, f"{speed:.1f} images/s, {terms}")
        else:
            self.bar.set_postfix_str(f"{speed:.1f} images/s, {terms}", refresh=False)
            self.bar.update(trainer.global_step - self.bar.n)
        log_metrics(trainer.loggers, {"speed/images_per_second": speed}, trainer.global_step)
        self.looked, self.step = time.perf_counter(), trainer.global_step

    def tell(self, step: int, steps: int, figures: str) -> None:
        """Logs a line where a tenth of the run, or `LINE_SECONDS`, passed since the last one."""
        now = time.perf_counter()
        if LINES * step // steps == LINES * self.step // steps and now - self.told < LINE_SECONDS:
            return
        left = (now - self.began) / max(1, step - self.first) * (steps - step)
        log.info("step %d of %d, %d:%02d min left, %s", step, steps, left // 60, left % 60, figures)
        self.told = now

    def images(self, trainer: pl.Trainer, since: int) -> int:
        return (trainer.global_step - since) * trainer.accumulate_grad_batches * self.batch

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar.close()
        seconds, memory = time.perf_counter() - self.began, peak_memory(module.device)
        speed, waiting = self.images(trainer, self.first) / seconds, waited(trainer) / seconds
        log.info("%.1f images/s, %.1f %% of it waiting for photos, peak memory %.2f GiB", speed, 100 * waiting, memory)
        log_metrics(trainer.loggers, {"speed/waiting": waiting, "memory/peak_gib": memory}, trainer.global_step)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if hasattr(self, "bar"):
            self.bar.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, module, "fit")


def waited(trainer: pl.Trainer) -> float:
    """Seconds for photos."""
    assert isinstance(trainer.train_dataloader, DataLoader)
    assert isinstance(trainer.train_dataloader.dataset, RandomCrops)
    return trainer.train_dataloader.dataset.waited


def losses(trainer: pl.Trainer) -> dict[str, float]:
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("loss/")}


class Sheets(Callback):
    """A contact sheet of fixed photos every so many steps, in the run folder and in the loggers.

    Their artifacts are measured, and each kind is said in a line when it first appears in the second half of the run:
    before that a grid is nothing unusual.
    """

    def __init__(
        self, folder: Path, every: int, painting: Float[Tensor, "1 3 p q"], photos: UInt8[Tensor, "n 3 h w"]
    ) -> None:
        self.folder, self.every = folder, every
        self.painting, self.photos = painting, photos.float() / 255
        self.told: set[str] = set()
        self.drawn = 0  # the step of the last sheet; with gradient accumulation a step ends several batches

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        due = trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps
        if due and trainer.global_step != self.drawn:
            assert isinstance(module, StyleTraining)
            self.draw(trainer, module)
            self.drawn = trainer.global_step

    @torch.no_grad()
    def draw(self, trainer: pl.Trainer, module: StyleTraining) -> None:
        stylized = torch.stack(
            [module.network(photo[None].to(module.device))[0].float().cpu() for photo in self.photos]
        )
        self.watch(trainer, artifacts(self.photos, stylized))
        sheet = contact_sheet(self.painting, self.photos, stylized)
        save_sheet(sheet, self.folder / f"{trainer.global_step:06d}.jpg")
        log_sheet(trainer.loggers, sheet, trainer.global_step)

    def watch(self, trainer: pl.Trainer, found: Artifacts) -> None:
        figures = {f"artifacts/{name}": value for name, value in asdict(found).items()}
        log_metrics(trainer.loggers, figures, trainer.global_step)
        if 2 * trainer.global_step < trainer.max_steps and not found.not_finite:
            return
        for kind, text in complaints(found).items():
            if kind not in self.told:
                log.warning("step %d: the pictures show an artifact, %s", trainer.global_step, text)
            self.told.add(kind)


class StopOnSignal(Callback):
    """Ends the training after the step in hand on SIGINT or SIGTERM, as if it had been its last.

    What follows the training (the style file, the last line) then still happens; Lightning's own handling would
    end the process at once. As a context, it holds signals off. A second signal is not waited for. `signal` holds the
    number of what came.
    """

    SIGNALS: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signal: int | None = None

    def __enter__(self) -> "StopOnSignal":
        self.previous = {number: signal.signal(number, self.note) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise SystemExit(128 + number)  # Lightning would turn a KeyboardInterrupt into exit code 1
        self.signal = number

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.__enter__()  # when it is done, Lightning brings back the handlers that it found

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_number: int
    ) -> None:
        # Not between the batches of one step, whose gradient no checkpoint holds.
        if (batch_number + 1) % trainer.accumulate_grad_batches == 0 and self.agreed(trainer, module.device):
            trainer.should_stop = True

    def agreed(self, trainer: pl.Trainer, device: torch.device) -> bool:
        """Whether to stop here. Several processes have to stop at the same step, and ask each other now and then."""
        asked = self.signal is not None
        if trainer.world_size == 1:
            return asked
        return trainer.global_step % ASK_EVERY == 0 and bool(anywhere(torch.tensor(asked, device=device)))
