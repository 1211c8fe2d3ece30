"""A whole training run: settings in, a style file out. Everything about it stands in its run folder."""

import logging
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy

from stylenet.device import device_name
from stylenet.distributed import followed, tell_followers
from stylenet.errors import UserError
from stylenet.evaluation.held_out import held_out_losses, stylized_by
from stylenet.models.catalog import infer_command
from stylenet.models.style_file import SUFFIX, Card, save_style
from stylenet.models.transformer_net import parameter_count
from stylenet.training.callbacks.checkpoints import Checkpoints, WholeCheckpoints
from stylenet.training.callbacks.progress import Progress, Sheets, StopOnSignal
from stylenet.training.callbacks.recovery import GaveUpError, Recovery
from stylenet.training.checks import trainer_device
from stylenet.training.loggers import close_loggers, log_metrics, log_settings, open_loggers
from stylenet.training.resume import Start, steps_done
from stylenet.training.run_folder import (
    claimed,
    disk_errors,
    keep_inputs,
    new_run_folder,
    read_decisions,
    settings_digest,
    shelve,
    write_decisions,
    write_settings,
)
from stylenet.training.settings import Settings
from stylenet.training.setup import Parts, prepare
from stylenet.version import __version__

log = logging.getLogger(__name__)

SHEET_PHOTOS, SHEETS = 4, 20
GRADIENT_CLIP = 10.0  # norm; reached in the first steps only
CHECKPOINTS = 20  # over the run
LOG_EVERY = LOOK_EVERY = 50  # steps, in a long run


def run(settings: Settings, composed: Mapping[str, Any], start: Start | None = None) -> int:
    """Trains, and leaves a style file. Returns the exit code: 0, or 128 plus the signal that ended the run early.

    With a `start`, goes on from there, in that run's folder.
    """
    decisions, checkpoint = (read_decisions(start.folder), start.checkpoint) if start else ({}, None)
    parts = prepare(settings, decisions, from_checkpoint=checkpoint is not None, folder=start and start.folder)
    folder = start.folder if start else new_run_folder(parts.name)
    tell_followers(folder, checkpoint)
    with disk_errors(folder), claimed(folder):
        write_settings(folder, dict(composed))
        keep_inputs(folder, settings)
        write_decisions(folder, parts.decisions)
        log.info("%s: %s", parts.name, plan(parts, folder, start))
        loggers = open_loggers(folder, parts.name, settings.logger)
        log_settings(loggers, {**composed, "facts": facts(parts), "versions": versions()})
        try:
            code = train(parts, folder, loggers, checkpoint)
        finally:
            close_loggers(loggers)
    return code


def follow(settings: Settings, folder: Path, checkpoint: Path | None) -> int:
    """A further process of a run that another leads: it learns along, and writes nothing."""
    log.setLevel(logging.CRITICAL)
    parts = prepare(settings, read_decisions(folder), from_checkpoint=checkpoint is not None, folder=folder)
    fit(parts, folder, [], checkpoint)
    return 0


def plan(parts: Parts, folder: Path, start: Start | None) -> str:
    """What is about to be done, in a line."""
    done = steps_done(start.checkpoint) if start else 0
    if done >= parts.steps:
        return f"all {parts.steps} steps were done already, in {folder}"
    whole = f"{parts.steps} steps of batch {parts.settings.batch}, {parts.precision}, in {folder}"
    beginning = f"from step {done} on" if done else "again from the beginning"
    return f"{whole}, {beginning}" if start else whole


def train(parts: Parts, folder: Path, loggers: list[Logger], checkpoint: Path | None) -> int:
    """Fits the network, exports it, judges it. Returns the exit code."""
    start = time.perf_counter()
    try:
        trainer, stop = fit(parts, folder, loggers, checkpoint)
    except GaveUpError as error:
        raise UserError(f"{error}{keep_last_good(parts, folder, error.step)}") from error
    log_metrics(loggers, {"speed/seconds": time.perf_counter() - start}, trainer.global_step)
    finish(parts, folder, trainer, interrupted=stop.signal is not None)
    return 0 if stop.signal is None else 128 + stop.signal


def fit(parts: Parts, folder: Path, loggers: list[Logger], checkpoint: Path | None) -> tuple[pl.Trainer, StopOnSignal]:
    """The training itself, to its last step or a signal; the checkpoint and the style file are on the disk then."""
    look_every, save_every = rhythm(parts.steps)
    stop, recovery = StopOnSignal(), Recovery(look_every, parts.held_out[:1])
    checkpoints = Checkpoints(folder, save_every, saved=steps_done(checkpoint))
    trainer = make_trainer(parts, folder, loggers, [stop, recovery, checkpoints])
    trainer.fit(parts.module, ckpt_path=checkpoint, weights_only=True)
    with stop:  # a signal waits until all is on the disk
        checkpoints.save(trainer)
        if trainer.is_global_zero:
            save(parts, style_file(parts, folder), trainer.global_step, {})
    return trainer, stop


def rhythm(steps: int) -> tuple[int, int]:
    """Steps from one look of `Recovery` to the next, and from one checkpoint to the next.

    The latter is a multiple of the former: a checkpoint need not hold the network of an earlier look then.
    """
    look = max(1, min(LOOK_EVERY, steps // CHECKPOINTS))
    return look, max(1, steps // CHECKPOINTS // look * look)


def make_trainer(parts: Parts, folder: Path, loggers: list[Logger], more: list[Callback]) -> pl.Trainer:
    sheet_every = parts.settings.logger.sheet_every or max(1, parts.steps // SHEETS)
    shown: list[Callback] = [
        Progress(parts.settings.batch),
        Sheets(folder / "sheets", sheet_every, parts.painting, parts.held_out[:SHEET_PHOTOS]),
    ]
    chosen = {**parts.settings.trainer, "precision": parts.precision}
    if chosen.get("strategy") == "ddp":  # whose buffers are constants here: sending them with every step is for nothing
        chosen["strategy"] = DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)
    return pl.Trainer(
        max_steps=parts.steps,
        callbacks=more if followed() else [*shown, *more],
        plugins=[WholeCheckpoints()],
        logger=loggers,
        log_every_n_steps=max(1, min(LOG_EVERY, parts.steps // LOG_EVERY)),
        default_root_dir=folder,
        **{"gradient_clip_val": GRADIENT_CLIP, "enable_progress_bar": False, "enable_model_summary": False, **chosen},
    )


def keep_last_good(parts: Parts, folder: Path, step: int) -> str:
    """The style file of a training that gave up, where it had learned something. Says where it is."""
    if step == 0:
        return ""
    save(parts, style_file(parts, folder), step, {})
    return f"; the network of step {step} is kept in {style_file(parts, folder)}"


def finish(parts: Parts, folder: Path, trainer: pl.Trainer, interrupted: bool) -> None:
    """The figures, and the last line: the command that uses the new network."""
    place = None
    for line in parts.photos.report():
        log.info(line)
    if not interrupted:
        save(parts, style_file(parts, folder), trainer.global_step, evaluate(parts, trainer))
        place = shelved(parts, folder)
    print(infer_command(place or style_file(parts, folder)), flush=True)


def shelved(parts: Parts, folder: Path) -> Path | None:
    """Where the style can now be found by its name, if it can; else the reason is said."""
    try:
        place = shelve(style_file(parts, folder), parts.name, parts.settings.replace)
    except OSError as error:
        log.warning("the style stays in its run folder: checkpoints/ cannot be written (%s)", error.strerror)
        return None
    if not place:
        log.info("checkpoints/ has a %s already: replace=true would put the new one there", parts.name)
    return place


def style_file(parts: Parts, folder: Path) -> Path:
    return folder / f"{parts.name}{SUFFIX}"


def save(parts: Parts, path: Path, steps: int, held_out: dict[str, float]) -> None:
    """The style file; `steps` are those really done."""
    network, known = parts.module.network, facts(parts)
    known["training"]["steps"] = steps
    save_style(path, network, Card(parts.name, network.settings, {**known, "held_out": held_out}))


def evaluate(parts: Parts, trainer: pl.Trainer) -> dict[str, float]:
    """Losses on the held-out photos, said, logged and returned."""
    device = trainer_device(parts.settings.trainer)
    module = parts.module.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled="bf16" in parts.precision):
        photos = parts.held_out.to(device).float() / 255
        result = held_out_losses(module.criterion, photos, stylized_by(module.network, photos))
    figures = {name: round(value, 6) for name, value in asdict(result).items()}
    log_metrics(trainer.loggers, {f"held_out/{name}": value for name, value in figures.items()}, trainer.global_step)
    log.info("held-out photos: content %(content).3f, style %(style).3f, untouched %(untouched).3f", figures)
    return figures


def facts(parts: Parts) -> dict[str, Any]:
    """What is known of a run before it starts, and would be the same for an equal run."""
    settings = parts.settings
    style = {name: getattr(settings.style, name) for name in ("title", "artist", "year", "source", "size")}
    training = {name: getattr(settings, name) for name in ("batch", "crop", "learning_rate", "seed")}
    training["init"] = parts.init
    return {
        "painting": {**style, "sha256": parts.painting_sha256},
        "loss": settings.loss.to_card(),
        "loss_network": {
            "architecture": settings.loss_network.architecture,
            "name": parts.weights.name,
            "sha256": parts.weights.sha256,
        },
        "photos": settings.data.credits or parts.photos.sources,
        "training": {**training, "precision": parts.precision, "steps": parts.steps},
        "parameters": parameter_count(parts.module.network),
        "settings": settings_digest(asdict(settings)),
        "stylenet": __version__,
    }


def versions() -> dict[str, str]:
    """What the run stands on; it may differ between runs that are otherwise equal."""
    packages = ("torch", "torchvision", "pytorch-lightning", "datasets", "pillow")
    machine = {"device": device_name(), "python": platform.python_version()}
    return machine | {name: version(name) for name in packages}
