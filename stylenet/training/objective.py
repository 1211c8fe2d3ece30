"""The objective of a search over settings: a held-out figure, or a sum of several. Needs no torch."""

import math
from collections.abc import Mapping

from stylenet.errors import UserError

LOSSES = ("content", "style", "style_ratio")  # figures that every run has
LOWER_IS_BETTER = (*LOSSES, "empty", "color_sw")  # of the held-out figures of a run


FORMER = {"share": "style_ratio"}  # names of figures in runs and searches of 0.1.0


def current_objective(objective: str) -> str:
    """An objective that was recorded, by the names of now."""
    return "+".join(f"held_out/{FORMER.get(name, name)}" for name in objective_names(objective))


def objective_names(objective: str) -> list[str]:
    """The figures that are added up, without their prefix."""
    return [name.strip().removeprefix("held_out/") for name in objective.split("+")]


def objective_value(objective: str, held_out: Mapping[str, float]) -> float:
    """The held-out figure of that name, or the sum of several joined by `+`; NaN if one is missing."""
    return sum(float(held_out.get(name, math.nan)) for name in objective_names(objective))


def check_measured(objective: str) -> None:
    """Raises `UserError` for a figure that runs on many paintings do not measure."""
    if figures := sorted(set(objective_names(objective)) - set(LOSSES)):
        raise UserError(
            f"objective=held_out/{figures[0]} is of one painting; with styles= and add_to= it is one of "
            f"{', '.join(f'held_out/{name}' for name in LOSSES)}, or a sum"
        )


def check_objective(objective: str) -> None:
    """Raises `UserError` for what is not better the lower it is: the objective is minimized."""
    for name in objective_names(objective):
        if name not in LOWER_IS_BETTER:
            choices = ", ".join(f"held_out/{each}" for each in LOWER_IS_BETTER)
            raise UserError(f"objective is minimized and must be one of {choices}, or a sum, got held_out/{name}")
