"""The objective of a search over settings: a held-out figure, or a sum of several. Needs no torch."""

import math
from collections.abc import Mapping

from stylenet.errors import UserError

LOSSES = ("content", "style", "style_ratio")  # figures that every run has
LOWER_IS_BETTER = (*LOSSES, "empty", "color_sw")  # of the held-out figures of a run


def objective_names(objective: str) -> list[str]:
    """The figures that are added up, without their prefix."""
    return [name.strip().removeprefix("held_out/") for name in objective.split("+")]


def objective_value(objective: str, held_out: Mapping[str, float]) -> float:
    """The held-out figure of that name, or the sum of several joined by `+`; NaN if one is missing."""
    return sum(float(held_out.get(name, math.nan)) for name in objective_names(objective))


def check_objective(objective: str) -> None:
    """Raises `UserError` for what is not better the lower it is: the objective is minimized."""
    for name in objective_names(objective):
        if name not in LOWER_IS_BETTER:
            choices = ", ".join(f"held_out/{each}" for each in LOWER_IS_BETTER)
            raise UserError(f"objective is minimized and must be one of {choices}, or a sum, got held_out/{name}")
