"""Logs a run's metrics and contact sheets: to `metrics.csv` always, and to the chosen trackers.

A tracker is a Lightning logger. `configs/logger/NAME.yaml` names its class and arguments; no Python is needed to add
one. Metric names are the same for every style and in every tracker, so that runs can be compared: `loss/…` of each term
and `loss/total` (weighted, training), `speed/images_per_second`, `speed/waiting`, `speed/seconds`, `memory/peak_gib`,
`recovery/{left_out,rollbacks}`, `artifacts/{grid,contrast,blobs,frame,not_finite}`, `held_out/…` (unweighted), and the
image `sheet`.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jaxtyping import UInt8
from pytorch_lightning.loggers import CSVLogger, Logger
from torch import Tensor

from stylenet.errors import UserError
from stylenet.training.loggers.guarded import GuardedLogger, kind_and_first_line
from stylenet.training.settings import Logging

log = logging.getLogger(__name__)
run_folders: list[Path] = []  # of the runs of this process whose loggers were opened, newest last
ARGUMENTS = ("folder", "run", "style", "project", "entity", "tags")
PLACEHOLDER = re.compile(r"\{(" + "|".join(ARGUMENTS) + r")\}")
WANDB = {"_target_": "stylenet.training.loggers.wandb.WandbRun"} | {name: f"{{{name}}}" for name in ARGUMENTS}


def check_loggers(settings: Logging) -> None:
    """Raises `UserError` where a tracker is not installed or refuses its arguments. Leaves no file.

    Logs a line where a tracker has no use for a setting.
    """
    for name, tracker in (chosen_trackers(settings) or {"csv": {}}).items():
        if unused := unused_settings(tracker, settings):
            log.warning("the logger %s does not take %s", name, ", ".join(unused))
    with TemporaryDirectory() as folder:
        make_trackers(Path(folder), "style", settings)


def unused_settings(tracker: Mapping[str, Any], settings: Logging) -> list[str]:
    """The settings for all trackers that are given, and not among the arguments of this one."""
    project, entity = project_and_entity(settings)
    given = {"project": project, "entity": entity, "tags": settings.tags}
    taken = set(PLACEHOLDER.findall(" ".join(map(str, tracker.values()))))
    return [f"logger.{name}" for name, value in given.items() if value and name not in taken]


def open_loggers(folder: Path, name: str, settings: Logging) -> list[Logger]:
    """The CSV file in the run folder, then the chosen trackers.

    An error of a tracker is logged as one line, here and later, and the run continues without that tracker.
    """
    keep_metrics(folder)
    run_folders.append(folder)
    loggers = [GuardedLogger("metrics.csv", CSVLogger(folder, name="", version=""), retry=True)]
    loggers += [GuardedLogger(name, tracker) for name, tracker in make_trackers(folder, name, settings).items()]
    for logger in loggers:
        logger.open()
    return list(loggers)


def keep_metrics(folder: Path) -> None:
    """Numbers the metrics of a run that is resumed: Lightning would delete them."""
    metrics = folder / "metrics.csv"
    if metrics.exists():
        metrics.rename(folder / f"metrics-{len(list(folder.glob('metrics*.csv')))}.csv")


def make_trackers(folder: Path, style: str, settings: Logging) -> dict[str, Logger]:
    """The chosen trackers by name, not yet started. Raises `UserError`."""
    project, entity = project_and_entity(settings)
    run = f"{style} {folder.name}"
    values = dict(zip(ARGUMENTS, (folder, run, style, project, entity, list(settings.tags)), strict=True))
    return {name: make_tracker(name, tracker, values) for name, tracker in chosen_trackers(settings).items()}


def chosen_trackers(settings: Logging) -> dict[str, Mapping[str, Any]]:
    """Class and arguments of each tracker by name. The switch `wandb` adds or removes Weights & Biases."""
    trackers = dict(settings.use)
    if settings.wandb:
        trackers.setdefault("wandb", WANDB)
    if settings.wandb is False or os.environ.get("WANDB_MODE") == "disabled":
        trackers.pop("wandb", None)
    return trackers


def project_and_entity(settings: Logging) -> tuple[str | None, str | None]:
    """Splits a project written as `team/name`. Raises `UserError` for two different teams."""
    if settings.project is None or "/" not in settings.project:
        return settings.project, settings.entity
    team, _, project = settings.project.partition("/")
    if not (team and project) or "/" in project:
        raise UserError(f"the tracker's project must be name or team/name, got {settings.project}")
    if settings.entity not in (None, team):
        raise UserError(f"the tracker's project names the team {team}, the entity is {settings.entity}")
    return project, team


def make_tracker(name: str, tracker: Mapping[str, Any], values: Mapping[str, Any]) -> Logger:
    """A logger of the class `_target_`, called with the other keys. Raises `UserError`.

    `_install_` is what to install where the tracker's package is missing. Of the `values`, `{folder}` and the like
    stand for in any argument.
    """
    with one_line_errors(name, tracker.get("_install_")):
        made = logger_class(str(tracker.get("_target_")))
        return made(
            **{key: fill_placeholders(value, values) for key, value in tracker.items() if not key.startswith("_")}
        )


@contextmanager
def one_line_errors(name: str, package: str | None) -> Iterator[None]:
    """Makes a `UserError` of whatever a tracker raises, with the tracker's name."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        reason = f"it is not installed: pip install '{package}'" if package else kind_and_first_line(error)
        raise UserError(f"the logger {name} cannot be used: {reason}") from error
    except Exception as error:  # a tracker may raise anything
        raise UserError(f"the logger {name} cannot be used: {kind_and_first_line(error)}") from error


def logger_class(target: str) -> type[Logger]:
    """The class that a dotted path names. Nothing else is ever called: settings may come with a foreign run folder."""
    module, _, name = target.rpartition(".")
    found = getattr(import_module(module), name, None) if module else None
    if not (isinstance(found, type) and issubclass(found, Logger)):
        raise UserError(f"{target} is not a Lightning logger")
    return found


def fill_placeholders(value: Any, values: Mapping[str, Any]) -> Any:
    """The argument with its placeholders replaced; one that is only a placeholder takes the value as it is."""
    if not isinstance(value, str):
        return value
    if whole := PLACEHOLDER.fullmatch(value):
        return values[whole[1]]
    return PLACEHOLDER.sub(lambda found: str(values[found[1]]), value)


def close_loggers(loggers: Sequence[Logger]) -> None:
    """Ends the trackers' runs, so that the next run in this process gets its own."""
    for logger in loggers:
        if isinstance(logger, GuardedLogger):
            logger.close()


def log_settings(loggers: Sequence[Logger], settings: Mapping[str, Any]) -> None:
    """Logs settings and facts, once a run."""
    for logger in loggers:
        logger.log_hyperparams(dict(settings))


def log_metrics(loggers: Sequence[Logger], metrics: Mapping[str, float], step: int) -> None:
    """Logs metrics by name."""
    for logger in loggers:
        logger.log_metrics(dict(metrics), step=step)
        logger.save()


def log_sheet(loggers: Sequence[Logger], sheet: UInt8[Tensor, "height width 3"], step: int) -> None:
    """Logs a contact sheet as the image `sheet`."""
    for logger in loggers:
        if isinstance(logger, GuardedLogger):
            logger.log_image("sheet", sheet, step)
