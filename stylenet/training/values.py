"""Checks of a run's settings that need neither torch nor Lightning: made before these are imported."""

import math

from stylenet.disk import plain_name
from stylenet.errors import UserError
from stylenet.media.limits import MINIMUM_SIDE
from stylenet.training.objective import check_objective
from stylenet.training.settings import MISSING, Settings


def check_values(settings: Settings) -> None:
    """Raises `UserError` for a number out of range or a name that is no file's."""
    for name in ("batch", "crop", "learning_rate"):
        if getattr(settings, name) == MISSING:
            raise UserError(f"{name} has no value")
    at_least = {"batch": 1, "crop": MINIMUM_SIDE, "steps": 1, "seed": 0, "patience": 1}
    for name, least in at_least.items():
        if (value := getattr(settings, name)) is not None and value < least:
            raise UserError(f"{name} must be at least {least}, got {value}")
    for name in ("learning_rate", "minutes"):
        if (value := getattr(settings, name)) is not None and not 0 < value < math.inf:
            raise UserError(f"{name} must be more than 0, got {value}")
    check_objective(settings.objective)
    if settings.steps is not None and settings.minutes is not None:
        raise UserError(f"a run's length is steps or minutes, got both: {settings.steps} and {settings.minutes}")
    if settings.style.name is not None and settings.style.name != plain_name(settings.style.name + ".x"):
        raise UserError(f"style.name becomes a file's name: letters, digits, - _ and . only, got {settings.style.name}")
