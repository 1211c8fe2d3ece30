"""The limits of a run's settings: numbers that no run could use, or that would be used for something else."""

import math
from operator import attrgetter
from typing import Any

from stylenet.disk import plain_name
from stylenet.errors import UserError
from stylenet.media.limits import MINIMUM_SIDE
from stylenet.models.limits import MOST_BLACK
from stylenet.training.objective import check_objective
from stylenet.training.settings import MISSING, Length, Settings

LONGEST_SIDE, MOST_STEPS, LARGEST_SEED = 16384, 10**9, 2**63 - 1
AT_LEAST = {
    **dict.fromkeys(("batch", "steps", "budget.steps", "patience", "logger.sheet_every"), 1),
    **dict.fromkeys(("seed", "flat_areas", "data.memory", "network.black"), 0),
    "crop": MINIMUM_SIDE,
}
AT_MOST = {
    **dict.fromkeys(("crop", "style.size", "data.size"), LONGEST_SIDE),
    **dict.fromkeys(("batch", "steps", "budget.steps"), MOST_STEPS),
    **dict.fromkeys(("minutes", "budget.minutes"), 10**6),
    "seed": LARGEST_SEED,  # more than random generators take
    "flat_areas": 1,  # a share
    "network.black": MOST_BLACK,
}
POSITIVE = ("learning_rate", "minutes", "budget.minutes")


def check_values(settings: Settings) -> None:
    """Raises `UserError` for a number out of range or a name that is no file's."""
    for name in ("batch", "crop", "learning_rate"):
        if getattr(settings, name) == MISSING:
            raise UserError(f"{name} has no value")
    check_numbers(settings)
    check_objective(settings.objective)
    check_length("a run's length", settings)
    check_length("the length in budget", settings.budget)
    if settings.style.name is not None and settings.style.name != plain_name(settings.style.name + ".x"):
        raise UserError(f"style.name becomes a file's name: letters, digits, - _ and . only, got {settings.style.name}")
    if f"x{settings.style.suffix}" != plain_name(f"x{settings.style.suffix}.x"):
        wanted = "style.suffix becomes the end of a file's name: letters, digits, - _ and . only"
        raise UserError(f"{wanted}, got {settings.style.suffix}")


def check_subject(settings: Any) -> None:
    """Raises `UserError` for settings that do not say what is to be learned, or say it twice."""
    if settings.network.architecture == "conditional" and not (settings.styles or settings.add_to):
        raise UserError("a conditional network learns many paintings: styles=DIR")
    if settings.styles and (settings.add_to or settings.style.image not in (MISSING, "")):
        other = "add_to" if settings.add_to else "style.image"
        raise UserError(f"styles={settings.styles} trains on all paintings of a folder and excludes {other}=")
    if settings.style.image == MISSING and not settings.styles:
        raise UserError("no painting: it is an image file, or one of configs/style/")


def check_empty(settings: Any) -> None:
    """Raises `UserError` for names that are empty, as that of an unset variable is: they would count as not given."""
    for name in ("data.path", "loss_network.weights", "init", "resume", "styles", "add_to"):
        if attrgetter(name)(settings) == "":
            raise UserError(f"{name} is empty")


def check_numbers(settings: Settings) -> None:
    """Raises `UserError` for a number that is too small or too large."""
    for name in dict.fromkeys((*AT_LEAST, *AT_MOST, *POSITIVE)):
        value = attrgetter(name)(settings)
        if value is None:
            continue
        if name in POSITIVE and not 0 < value < math.inf:
            raise UserError(f"{name} must be more than 0, and finite, got {value}")
        if name in AT_LEAST and not value >= AT_LEAST[name]:  # NaN is not
            raise UserError(f"{name} must be at least {AT_LEAST[name]}, got {value}")
        if name in AT_MOST and not value <= AT_MOST[name]:
            raise UserError(f"{name} must be at most {AT_MOST[name]}, got {value}")


def check_length(what: str, length: Settings | Length) -> None:
    """Raises `UserError` for two lengths, of which one would be ignored."""
    if length.steps is not None and length.minutes is not None:
        both = f"got both: {length.steps} and {length.minutes}"
        instead = "; steps= or minutes= of the run come before it" if isinstance(length, Length) else ""
        raise UserError(f"{what} is steps or minutes, {both}{instead}")
