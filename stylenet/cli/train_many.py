"""`stylenet train styles=DIR` and `add_to=FILE`: networks of many styles."""

import re
from collections.abc import Sequence
from typing import Any

from stylenet.disk import home_expanded
from stylenet.errors import UserError

TRAINER = r"trainer\.(?!accelerator|devices|precision|accumulate_grad_batches).*"
LOGGER = r"logger\.(project|entity|tags|sheet_every)"  # logger.wandb=false is typed out of habit
UNUSED_BY_STYLES = rf"{TRAINER}|{LOGGER}|objective|style\.(title|artist|year|died|source|license)"
UNUSED_BY_ADD_TO = rf"{TRAINER}|{LOGGER}|objective|style\.suffix|network|network\..*|init"


def train_many(composed: Any, overrides: Sequence[str]) -> int:
    """Trains a network of many styles, or a further style of one. Returns the exit code; raises `UserError`."""
    from omegaconf import OmegaConf

    from stylenet.cli.train import quieten
    from stylenet.cli.train_arguments import name_of

    named = [override for override in overrides if name_of(override) in ("style", "style.image")]
    if composed.styles and (named or composed.add_to):
        other = named[0] if named else f"add_to={composed.add_to}"
        raise UserError(f"styles={composed.styles} trains on all paintings of a folder and excludes {other}")
    if composed.resume not in (None, "auto"):
        raise UserError("resume: a run on many paintings is resumed by its own command")
    if composed.patience is not None:
        raise UserError("patience ends a run on one painting; a run on many has no validations")
    check_used(composed, [name_of(override) for override in overrides])
    if composed.styles:
        composed.style.image = ""  # there is not one
    from stylenet.device import memory_errors
    from stylenet.training.many_run import run_further, run_many
    from stylenet.training.run import too_large

    quieten()  # after the imports above: Lightning sets its level when it is imported
    settings: Any = OmegaConf.to_object(composed)
    with memory_errors(too_large(settings)):
        if settings.styles:
            run_many(settings, home_expanded(settings.styles))
        else:
            run_further(settings, settings.add_to)
    return 0


def check_used(composed: Any, names: Sequence[str]) -> None:
    """Raises `UserError` for settings that only runs on one painting have, rather than ignore them.

    `names` are those of the settings that were typed.
    """
    for name in names:
        if re.fullmatch(UNUSED_BY_STYLES if composed.styles else UNUSED_BY_ADD_TO, name):
            raise UserError(f"{name} has no effect with {'styles=' if composed.styles else 'add_to='}")
    checked = {
        "network.architecture": (composed.network.architecture, ("transformer", "conditional")),
        "trainer.strategy": (composed.trainer.get("strategy"), (None, "auto")),
        "trainer.devices": (composed.trainer.get("devices"), (None, 1, "1")),
        "trainer.accumulate_grad_batches": (composed.trainer.get("accumulate_grad_batches"), (None, 1)),
        "trainer.precision": (str(composed.trainer.get("precision")), ("None", "32", "32-true", "bf16-mixed")),
    }
    for name, (value, allowed) in checked.items():
        if value not in allowed:
            choices = " or ".join(dict.fromkeys(str(each) for each in allowed if each not in (None, "None")))
            raise UserError(f"{name}={value} is for runs on one painting; with styles= and add_to= it is {choices}")
