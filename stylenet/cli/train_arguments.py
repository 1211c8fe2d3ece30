"""The command line of `stylenet train` in Hydra's grammar, and Hydra's errors in one line."""

import re
from dataclasses import fields, is_dataclass

import torch
from hydra.errors import HydraException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from stylenet.errors import UserError

PATHS = re.compile(r"\+*(style\.image|data\.path|loss_network\.weights|init|resume)=(.*)", re.DOTALL)
USERS = (UserError, HydraException, OmegaConfBaseException)
NOISE = ("full_key:", "object_type=", "reference_type=", "Config search path:", "provider=", "To append to your config")


def quoted(argument: str) -> str:
    """The argument in Hydra's grammar.

    Paths are quoted, so that any file name works (spaces, brackets, commas, … break the grammar), and settings of
    Lightning's Trainer may be new keys.
    """
    if argument.startswith(("trainer.", "loss.weights.")):  # which may be new keys
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
