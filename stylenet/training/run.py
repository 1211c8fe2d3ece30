"""A whole training run: settings in, a style file out. Its run folder holds everything about it."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from stylenet.data.datamodule import PhotosLike
from stylenet.device import memory_errors
from stylenet.disk import file_sha256, printable
from stylenet.distributed import export_worker_context, one_run, worker_context
from stylenet.errors import UserError
from stylenet.evaluation.held_out import mean_figures
from stylenet.models.catalog import infer_command, publish_style
from stylenet.training.callbacks.progress import losses
from stylenet.training.callbacks.recovery import GaveUpError
from stylenet.training.card import metadata, save, versions
from stylenet.training.checks import find_machine
from stylenet.training.fit import fit
from stylenet.training.limits import check_empty, check_subject
from stylenet.training.loggers import close_loggers, log_metrics, log_settings, open_loggers
from stylenet.training.recorded_files import keep_inputs
from stylenet.training.resume import Start, finished_steps, steps_done
from stylenet.training.resumed_settings import recorded_settings, resumed_settings
from stylenet.training.run_folder import (
    disk_errors,
    lock_folder,
    new_run_folder,
    read_resolved,
    write_resolved,
    write_settings,
)
from stylenet.training.settings import Settings, plain, style_settings, with_budget
from stylenet.training.setup import TrainingInputs, prepare
from stylenet.training.types import check_names, check_types

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """The results of a run.

    `published` is the copy of the style file in `checkpoints/`; None where another network has its name. `metrics` are
    the last losses (`loss/…`), the figures on the held-out photos (`held_out/…`; none of a run that was stopped) and
    `speed/seconds`. `exit_code` is 0, or 128 plus the signal that stopped the run. `inside` names a style where the
    file holds many.
    """

    style_file: Path
    published: Path | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    exit_code: int = 0
    inside: str | None = None

    @property
    def style(self) -> str:
        """The name for `Stylizer.load` where that finds this network, else the path of the style file."""
        found = self.published.stem if self.published else str(self.style_file)
        return f"{found}#{self.inside}" if self.inside else found


def train(
    settings: Settings | str | os.PathLike[str] | None = None,
    photos: PhotosLike | None = None,
    *,
    start: Start | None = None,
    **changes: Any,
) -> RunResult:
    """Trains a network on one painting, or on those of a folder (`styles=DIR`), and leaves a style file.

    `settings` are those of the run, or a painting: a file, or the name of one in `configs/style/`; None with `styles`
    alone. `photos` are a folder or uint8 arrays (h, w, 3), instead of those of the settings. `changes` are further
    settings by name, as in `steps=200` or `minutes=30`. What is not given is chosen for the device, as `train.py` does.
    With a `start`, the run there is resumed with the settings that it recorded: the painting and all that is given must
    be the same, but for `replace`. Raises `UserError`.
    """
    if start is not None and not isinstance(start, Start):
        raise UserError(f"start must be a stylenet.training.resume.Start, got {start!r}")
    start = start and Start(Path(start.folder), start.checkpoint and Path(start.checkpoint))
    if context := worker_context():
        run_worker(*context, photos)
        raise SystemExit(0)  # the rest of the caller's script is for the process that started this one
    settings, changes = plain(settings), plain(changes)
    check_names(changes)
    settings = resumed_settings(start.folder, settings, changes) if start else new_settings(settings, changes)
    with one_run():
        return lead(settings, asdict(settings), start, photos)


def new_settings(settings: Settings | str | os.PathLike[str] | None, changes: Mapping[str, Any]) -> Settings:
    """The settings of a run that begins, with what was not given chosen for the device. Raises `UserError`."""
    known = replace(as_settings(settings), **changes)
    check_types(known)
    check_empty(known)
    if known.resume:
        raise UserError("resume= is for the command line; in Python, start= resumes a run")
    check_subject(known)
    if known.styles:
        known = replace(known, style=replace(known.style, image=""))
    on_gpu = find_machine(known.trainer).device.type != "cpu"
    return with_budget(known, on_gpu, with_init=not isinstance(settings, Settings) and "init" not in changes)


def as_settings(settings: Settings | str | os.PathLike[str] | None) -> Settings:
    """The settings, or those with the painting. Raises `UserError`."""
    if isinstance(settings, Settings):
        return settings
    if settings is not None and not isinstance(settings, str | os.PathLike):
        raise UserError(f"settings must be Settings or a painting's name or file, got {settings!r}")
    return Settings() if settings is None else Settings(style=style_settings(settings))


def run(settings: Settings, composed: Mapping[str, Any], start: Start | None = None) -> int:
    """Trains for the command line, and prints the command that uses the network. Returns the exit code.

    `composed` are the settings as they are written into the run folder.
    """
    with one_run():
        result = lead(settings, composed, start)
    print(infer_command(result.published or result.style_file, result.inside), flush=True)
    return result.exit_code


def lead(
    settings: Settings, composed: Mapping[str, Any], start: Start | None, photos: PhotosLike | None = None
) -> RunResult:
    """The run, in the process that writes its files."""
    resolved, checkpoint = (read_resolved(start.folder), start.checkpoint) if start else ({}, None)
    with memory_errors(too_large(settings)):
        inputs = prepare(settings, resolved, checkpoint is not None, start and start.folder, photos)
    if start and steps_done(checkpoint) == (done := finished_steps(start.folder)):  # stopped early, maybe
        inputs.module.set_steps(done)
    folder = start.folder if start else new_run_folder(inputs.name)
    export_worker_context(folder, checkpoint)
    with disk_errors(folder), lock_folder(folder), memory_errors(too_large(settings)):
        keep_inputs(folder, settings)
        write_settings(folder, dict(composed))
        write_resolved(folder, inputs.resolved)
        log.info("%s: %s", inputs.name, describe_run(inputs, folder, start))
        loggers = open_loggers(folder, inputs.name, settings.logger)
        try:
            known = {"facts": metadata(inputs), "versions": versions(inputs.machine.device)}
            log_settings(loggers, {**composed, **known})
            return fit_and_evaluate(inputs, folder, loggers, checkpoint)
        finally:
            close_loggers(loggers)


def too_large(settings: Settings) -> str:
    """What to say where memory does not suffice."""
    wanted = f"a batch of {settings.batch} at a crop of {settings.crop} px"
    return f"out of memory: {wanted} does not fit; a smaller batch, crop or style.size may"


def run_worker(folder: Path, checkpoint: Path | None, photos: PhotosLike | None = None) -> RunResult:
    """Entry point for ranks > 0: trains by the settings in the run's folder, writes no files."""
    log.setLevel(logging.CRITICAL)
    settings = recorded_settings(folder)
    inputs = prepare(settings, read_resolved(folder), checkpoint is not None, folder, photos)
    fit(inputs, folder, [], checkpoint)
    return RunResult(inputs.style_file(folder))


def describe_run(inputs: TrainingInputs, folder: Path, start: Start | None) -> str:
    """Describes in one line what is about to be done."""
    done = steps_done(start.checkpoint) if start else 0
    if done >= inputs.steps:
        return f"all {inputs.steps} steps were done already, in {folder}"
    whole = f"{inputs.steps} steps of batch {inputs.settings.batch}, {inputs.machine.precision}, in {folder}"
    beginning = f"from step {done} on" if done else "again from the beginning"
    return f"{whole}, {beginning}" if start else whole


def fit_and_evaluate(inputs: TrainingInputs, folder: Path, loggers: list[Logger], checkpoint: Path | None) -> RunResult:
    """Fits the network, saves it, and judges it unless the training was stopped."""
    begun = time.perf_counter()
    file = inputs.style_file(folder)
    try:
        trainer, stop = fit(inputs, folder, loggers, checkpoint)
    except GaveUpError as error:
        raise UserError(f"{error}{keep_last_good(inputs, file, error.step)}") from error
    metrics = {**losses(trainer), "speed/seconds": time.perf_counter() - begun}
    log_metrics(loggers, {"speed/seconds": metrics["speed/seconds"]}, trainer.global_step)
    for line in inputs.photos.report():
        log.info(line)
    if stop.signal is not None:
        return RunResult(file, None, metrics, 128 + stop.signal, inputs.subject.style)
    figures = evaluate_held_out(inputs, trainer)
    save(inputs, file, trainer.global_step, figures)
    metrics |= {f"held_out/{name}": value for name, value in figures.items()}
    return RunResult(file, publish(inputs, file), metrics, inside=inputs.subject.style)


def keep_last_good(inputs: TrainingInputs, file: Path, step: int) -> str:
    """Writes the style file of a training that gave up, where it had learned something. Says where it is."""
    if step == 0:
        return ""
    save(inputs, file, step, {})
    return f"; the network of step {step} is kept in {file}"


def publish(inputs: TrainingInputs, file: Path) -> Path | None:
    """Copies the style file to where its name finds it. Logs the reason where it cannot."""
    place, replaced = inputs.subject.place, inputs.subject.replaced
    if replaced and not (place.exists() and file_sha256(place) == replaced):
        log.warning("the style file stays in its run folder: %s was changed meanwhile", printable(place))
        return None
    try:
        published = publish_style(file, place, inputs.settings.replace)
    except OSError as error:
        reason = f"{printable(place.parent)}/ cannot be written ({error.strerror})"
        log.warning("the style file stays in its run folder: %s", reason)
        return None
    if not published:
        log.info("%s exists; pass replace=true to overwrite it", printable(place.with_suffix("")))
    return published


def evaluate_held_out(inputs: TrainingInputs, trainer: pl.Trainer) -> dict[str, float]:
    """Losses on the held-out photos, on the run's own device: printed, logged and returned."""
    device = inputs.machine.device
    module = inputs.module.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=inputs.machine.bf16):
        found = mean_figures(module.figures(inputs.data.held_out.to(device).float() / 255))
    figures = {name: round(value, 6) for name, value in found.items()}
    log_metrics(trainer.loggers, {f"held_out/{name}": value for name, value in figures.items()}, trainer.global_step)
    log.info("held-out photos: content %(content).3f, style %(style).3f (of the photos %(style_baseline).3f)", figures)
    return figures
