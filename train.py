#!/usr/bin/env python3
"""Trains a network on one painting: `python train.py style=starry`. All settings: `python train.py --help`."""

import os
import re
import signal
import sys

os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing eight lines and exiting

import logging
import warnings
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from stylenet.distributed import followed
from stylenet.errors import UserError
from stylenet.training.resume import find_start
from stylenet.training.run_folder import disk_errors, read_settings, style_name
from stylenet.training.settings import Settings

PATHS = re.compile(r"\+*(style\.image|data\.path|loss_network\.weights|init|resume)=(.*)", re.DOTALL)
USERS = (UserError, HydraException, OmegaConfBaseException)
NOISE = ("full_key:", "object_type=", "reference_type=", "Config search path:", "provider=", "To append to your config")


def quoted(argument: str) -> str:
    """The argument in Hydra's grammar.

    Paths are quoted, so that any file name works (spaces, brackets, commas, … break the grammar), and settings of
    Lightning's Trainer may be new keys.
    """
    if argument.startswith("trainer."):
        return f"++{argument}"
    match = PATHS.fullmatch(argument)
    if not match or match[2] in ("", "null", "auto"):
        return argument
    # Hydra wants \' for ', and the backslashes before it or before the end doubled.
    path = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (found[2] and "\\'"), match[2])
    return f"{match[1]}='{path.replace('${', chr(92) + '${')}'"


def with_budget(arguments: list[str]) -> list[str]:
    """Adds the budget that suits the device, unless one is given; beside the other settings, as Hydra wants."""
    if any(argument.startswith("budget=") for argument in arguments):
        return arguments
    accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
    on_cpu = "++trainer.accelerator=cpu" in arguments or not accelerated
    is_setting = ["=" in argument and not argument.startswith("-") for argument in arguments]
    place = is_setting.index(True) if any(is_setting) else len(arguments)
    return [*arguments[:place], f"budget={'cpu' if on_cpu else 'gpu'}", *arguments[place:]]


def one_line(error: Exception) -> str:
    """What was wrong, in one line, with the choices where Hydra lists them."""
    if isinstance(error, MissingMandatoryValue) and "style.image" in str(error):
        return "no painting: style=NAME for one of configs/style/, or style.image=FILE for a picture of yours"
    texts = [str(error)] + ([str(error.__cause__)] if isinstance(error.__cause__, OmegaConfBaseException) else [])
    lines = [line.strip().rstrip(".") for text in texts for line in text.splitlines()]
    told = [line for line in lines if line and not line.startswith(NOISE)]
    return ", ".join(dict.fromkeys(told)) + choices(error)


def choices(error: BaseException | None) -> str:
    """The settings there are, where the error is about one that is not."""
    while error is not None and not isinstance(error, ConfigKeyError | ConfigAttributeError):
        error = error.__cause__
    group = getattr(error, "object_type", None)
    if not (isinstance(group, type) and is_dataclass(group)):
        return ""
    return f"; there are: {', '.join(field.name for field in fields(group))}"


def report(error: Exception) -> int:
    print(f"train.py: {one_line(error)}", file=sys.stderr)
    return 1


CONFIGS = str(Path(__file__).resolve().parent / "configs")


@hydra.main(version_base="1.3", config_path=CONFIGS, config_name="train")
def main(composed: DictConfig) -> None:
    try:
        with disk_errors():
            code = train(composed)
    except USERS as error:  # caught here: Hydra would print a line of its own
        code = report(error)
    if code:
        raise SystemExit(code)


def train(composed: DictConfig) -> int:
    """One run, or the rest of one."""
    from stylenet.training.run import (  # imported late: Lightning costs seconds, a wrong setting should not
        follow,
        run,
    )

    quieten()
    if led := followed():
        return follow(OmegaConf.to_object(recorded(led[0])), *led)  # type: ignore[arg-type]
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


def guarded() -> int:
    """Runs `main`; a user's mistake is one line and exit code 1, a bug keeps its traceback."""
    if not followed():  # Lightning starts the others with what this makes of the arguments
        sys.argv[1:] = with_budget([quoted(argument) for argument in sys.argv[1:]])
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(sys.stdout)])
    ConfigStore.instance().store("settings", Settings)
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        main()
    except USERS as error:
        return report(error)
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def end(number: int, frame: FrameType | None) -> None:
    """Ends the run where it stands, by an exception, so that what is half-written is cleared away.

    Only while there is nothing to save yet, or all is saved: while it trains, `StopOnSignal` is asked instead.
    """
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(guarded())
