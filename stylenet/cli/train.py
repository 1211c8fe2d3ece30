"""`stylenet train`: trains a network on one painting. Hydra composes its settings from `configs/`."""

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from stylenet.cli.command import program
from stylenet.cli.train_arguments import USERS, one_line, quoted, with_budget
from stylenet.disk import SOURCE_TREE
from stylenet.distributed import followed
from stylenet.errors import UserError
from stylenet.training.resume import find_start
from stylenet.training.run_folder import disk_errors, read_settings, style_name
from stylenet.training.settings import Settings

CONFIGS = str(SOURCE_TREE / "configs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains as the settings say; returns the exit code."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing eight lines and exiting
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(sys.stdout)])
    if leader := followed():
        return follow_run(*leader)
    typed = list(sys.argv[1:] if arguments is None else arguments)
    try:
        compose_and_train(with_budget([quoted(argument) for argument in typed]))
    except USERS as error:
        raise UserError(one_line(error)) from error
    return 0


def compose_and_train(arguments: list[str]) -> None:
    """Lets Hydra compose the settings of each job, and trains it."""
    ConfigStore.instance().store("settings", Settings)
    process = sys.argv

    @hydra.main(version_base="1.3", config_path=CONFIGS, config_name="train")
    def job(composed: DictConfig) -> None:
        sys.argv = process  # with which Lightning starts the other processes of a run on several devices
        with disk_errors():
            code = train(composed)
        if code:
            raise SystemExit(code)

    called = f"python {program()}" if program().endswith(".py") else program()
    sys.argv = [process[0], *arguments, f"hydra.help.app_name='{called}'"]  # Hydra reads them there
    try:
        job()
    finally:
        sys.argv = process


def follow_run(folder: Path, checkpoint: Path | None) -> int:
    """A further process of a run on several devices, whose settings are in the run's folder."""
    from stylenet.training.run import follow

    quieten()
    settings: Any = OmegaConf.to_object(recorded(folder))
    return follow(settings, folder, checkpoint)


def train(composed: DictConfig) -> int:
    """One run, or the rest of one."""
    from stylenet.training.run import run  # imported late: Lightning costs seconds, a wrong setting should not

    quieten()
    start = None
    if composed.resume:
        start = find_start(composed.resume, style_of(composed))
        composed = resumed(start.folder, composed.replace)
    settings: Any = OmegaConf.to_object(composed)
    return run(settings, OmegaConf.to_container(composed), start)  # type: ignore[arg-type]


def resumed(folder: Path, replace: bool) -> DictConfig:
    """The settings of the run to go on with. Raises `UserError` where the command line wants others."""
    overrides = HydraConfig.get().overrides.task
    naming = ["network"] if "resume=auto" in overrides else []  # the run's name has it, as in starry-small
    for override in overrides:
        if override.split("=")[0] not in ("resume", "style", "style.image", "budget", "replace", *naming):
            raise UserError(f"resume goes on with the settings of that run, so {override} cannot be set")
    return recorded(folder, replace=replace)


def recorded(folder: Path, **changed: bool) -> DictConfig:
    """The settings in a run folder."""
    merged = OmegaConf.merge(OmegaConf.structured(Settings), read_settings(folder), changed)
    assert isinstance(merged, DictConfig)
    return merged


def quieten() -> None:
    """Leaves the screen to this project's own lines. Lightning sets its level when it is imported, so after that."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "datasets", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch|PIL")


def style_of(composed: DictConfig) -> str:
    """The style's name, which only `resume=auto` needs."""
    if composed.resume != "auto":
        return ""
    return style_name(composed.style.image, composed.style.name, composed.style.suffix)
