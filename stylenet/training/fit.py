"""The training itself: Lightning's trainer with this project's callbacks."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException

from stylenet.data import unit_photos
from stylenet.distributed import worker_context
from stylenet.models.luminance import darkest_luminance
from stylenet.training.budget import CHECKPOINTS, SHEET_PHOTOS, sheet_interval
from stylenet.training.callbacks.checkpoints import Checkpoints, WholeCheckpoints
from stylenet.training.callbacks.contact_sheets import ContactSheets
from stylenet.training.callbacks.early_stopping import ObjectiveStopping
from stylenet.training.callbacks.progress import Progress
from stylenet.training.callbacks.recovery import NonFiniteGuard
from stylenet.training.callbacks.stop_on_signal import StopOnSignal
from stylenet.training.card import save
from stylenet.training.resume import steps_done
from stylenet.training.setup import TrainingInputs
from stylenet.training.trainer_arguments import trainer_arguments

LOG_EVERY = INSPECT_EVERY = 50  # steps, in a long run


def fit(
    inputs: TrainingInputs, folder: Path, loggers: list[Logger], checkpoint: Path | None
) -> tuple[pl.Trainer, StopOnSignal]:
    """Trains to the last step or a signal; the checkpoint and the style file are on the disk then."""
    inspect_every, save_every = intervals(inputs.steps)
    stop, guard = StopOnSignal(), NonFiniteGuard(inspect_every, inputs.data.held_out[:1])
    checkpoints = Checkpoints(folder, save_every, saved=steps_done(checkpoint))
    early = [ObjectiveStopping(inputs.settings.objective, patience)] if (patience := inputs.settings.patience) else []
    trainer = make_trainer(inputs, folder, loggers, [stop, guard, *early, checkpoints])
    with stop:  # a signal waits until all is on the disk
        with suppress(SIGTERMException):  # raised for a signal before the first step
            trainer.fit(inputs.module, datamodule=inputs.data, ckpt_path=checkpoint, weights_only=True)
        checkpoints.save(trainer)
        if trainer.is_global_zero:
            set_black(inputs)
            save(inputs, inputs.style_file(folder), trainer.global_step, {})
    return trainer, stop


def set_black(inputs: TrainingInputs) -> None:
    """Gives the trained network the black of the settings, or the one measured. Those of many styles have none."""
    network, black = inputs.module.network, inputs.settings.network.black
    if network.settings.architecture == "conditional":
        return
    if black is None:
        black = darkest_luminance(network, unit_photos().to(next(network.parameters()).device))
    network.settings = replace(network.settings, black=black)


def intervals(steps: int) -> tuple[int, int]:
    """Steps from one inspection of `NonFiniteGuard` to the next, and from one checkpoint to the next.

    The latter is a multiple of the former: a checkpoint need not hold the network of an earlier inspection then.
    """
    inspect = max(1, min(INSPECT_EVERY, steps // CHECKPOINTS))
    return inspect, max(1, steps // CHECKPOINTS // inspect * inspect)


def make_trainer(inputs: TrainingInputs, folder: Path, loggers: list[Logger], more: list[Callback]) -> pl.Trainer:
    """The trainer; further ranks show nothing."""
    steps = inputs.steps
    sheet_every = inputs.settings.logger.sheet_every or sheet_interval(steps)
    shown: list[Callback] = [
        Progress(),
        ContactSheets(folder / "sheets", sheet_every, inputs.subject.shown, inputs.data.held_out[:SHEET_PHOTOS]),
    ]
    chosen = {**inputs.settings.trainer, "precision": inputs.machine.precision}
    if chosen.get("strategy") == "ddp":  # whose buffers are constants here: no need to send them with every step
        chosen["strategy"] = DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)
    return pl.Trainer(
        callbacks=more if worker_context() else [*shown, *more],
        plugins=[WholeCheckpoints()],
        logger=loggers,
        log_every_n_steps=max(1, min(LOG_EVERY, steps // LOG_EVERY)),
        default_root_dir=folder,
        **trainer_arguments(chosen, steps),
    )
