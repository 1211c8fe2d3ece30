"""Where a run's numbers and pictures go: a CSV file always, Weights & Biases where it can be had without asking.

Metric names are the same for every style, so that one dashboard compares them: `loss/content`, `loss/style`, `loss/tv`,
`loss/stability`, `loss/total` (weighted, training), `speed/{images_per_second,waiting,seconds}`, `memory/peak_gib`,
`artifacts/{grid,contrast,blobs,frame,not_finite}`, `held_out/{content,style,untouched,share}` (unweighted), and the
picture `sheet`.
"""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from jaxtyping import UInt8
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from torch import Tensor

from stylenet.training.settings import Logging

log = logging.getLogger(__name__)
PATIENCE = 3.0  # seconds for the service to answer; wandb itself would wait 90


def open_loggers(folder: Path, name: str, settings: Logging) -> list[Logger]:
    """A CSV logger in the run folder, and a wandb logger when it is wanted."""
    keep_metrics(folder)
    loggers: list[Logger] = [CSVLogger(folder, name="", version="")]
    if settings.wandb and os.environ.get("WANDB_MODE") != "disabled":
        loggers.append(open_wandb(folder, name, settings.project, settings.tags))
    return loggers


def keep_metrics(folder: Path) -> None:
    """Numbers the metrics of a run that now goes on: Lightning would delete them."""
    metrics = folder / "metrics.csv"
    if metrics.exists():
        metrics.rename(folder / f"metrics-{len(list(folder.glob('metrics*.csv')))}.csv")


def open_wandb(folder: Path, name: str, project: str, tags: Sequence[str]) -> WandbLogger:
    """Online when the user is logged in and the service answers, else offline. Never asks for a login."""
    import wandb

    os.environ.setdefault("WANDB_SILENT", "true")
    reason = why_offline()
    logger = wandb_logger(folder, name, project, tags, mode="offline" if reason else "online")
    try:
        place = logger.experiment.dir
    except wandb.Error as error:  # logged in, but not to this project, or the service stalls
        reason = str(error).splitlines()[0]
        logger = wandb_logger(folder, name, project, tags, mode="offline")
        place = logger.experiment.dir
    if reason:
        log.info("wandb: offline (%s); to send this run later: wandb sync %s", reason, Path(place).parent)
    return logger


def wandb_logger(folder: Path, name: str, project: str, tags: Sequence[str], mode: str) -> WandbLogger:
    import wandb

    return WandbLogger(
        project=project,
        save_dir=folder,
        name=f"{name} {folder.name}",
        group=name,
        tags=list(tags),
        mode=mode,
        settings=wandb.Settings(init_timeout=10),
    )


def close_loggers(loggers: Sequence[Logger]) -> None:
    """Ends the wandb run, so that the next style of a sweep gets one of its own."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def why_offline() -> str | None:
    """The reason for which wandb cannot be used online now; nothing when it can."""
    import wandb

    if os.environ.get("WANDB_MODE") == "offline":
        return "WANDB_MODE=offline"
    address = urlparse(wandb.setup().settings.base_url)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=PATIENCE).close()
    except OSError:
        return "the service does not answer"
    try:
        return None if wandb.login(prompt=False) else "not logged in"
    except wandb.Error as error:
        return str(error).splitlines()[0]


def log_settings(loggers: Sequence[Logger], settings: Mapping[str, Any]) -> None:
    """Settings and facts, once a run."""
    for logger in loggers:
        logger.log_hyperparams(dict(settings))


def log_metrics(loggers: Sequence[Logger], metrics: Mapping[str, float], step: int) -> None:
    for logger in loggers:
        logger.log_metrics(dict(metrics), step=step)
        logger.save()


def log_sheet(loggers: Sequence[Logger], sheet: UInt8[Tensor, "height width 3"], step: int) -> None:
    """A contact sheet, to those that take pictures."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image("sheet", [sheet.numpy()], step=step)
