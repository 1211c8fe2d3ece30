"""Settings of how a style is applied: the controls of an image, a blend's weights. Imports nothing large."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stylenet.errors import UserError

SMOOTHING = 0.5  # seconds: the time constant of temporal smoothing in videos
STRENGTHS, STROKES = (0.0, 1.5), (0.5, 2.0)


def number(value: object, name: str) -> float:
    """A number of any type as a float. Raises `UserError` for anything else, also for text and truth values."""
    single = getattr(value, "shape", ()) == () and hasattr(value, "__float__")
    if not single or isinstance(value, bool):
        raise UserError(f"{name} must be a number, got {value!r:.80}")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # NumPy's text, a meta tensor
        raise UserError(f"{name} must be a number, got {value!r:.80}") from error


@dataclass(frozen=True)
class Brush:
    """How a style is applied; `Brush()` applies it as it is.

    `strength`: 0 is the photo, 1 the full style, up to 1.5 exaggerates it. `stroke`: 2 doubles the width
    of the strokes, 0.5 halves it; time goes with 1/stroke². `keep_colors`: the photo's colors under the style's
    luminance. `match_colors`: the stylized image's palette, as a whole, fitted to the photo's.
    Numbers of other types, 0-d arrays and tensors become floats. Raises `UserError` for a number out of its range, for
    what is no number, and for a switch that is not a bool.
    """

    strength: float = 1.0
    stroke: float = 1.0
    keep_colors: bool = False
    match_colors: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in (("strength", STRENGTHS), ("stroke", STROKES)):
            value = number(getattr(self, name), name)
            object.__setattr__(self, name, value)  # it is frozen
            if not low <= value <= high:
                raise UserError(f"{name} must lie between {low:g} and {high:g}, got {value:g}")
        for name in ("keep_colors", "match_colors"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} must be True or False, got {getattr(self, name)!r:.80}")


PLAIN = Brush()  # the style as it is


def check_weights(weights: Sequence[float], masked: bool = False) -> None:
    """Raises `UserError` for weights that aren't above 0, or that have no effect."""
    if not weights:
        raise UserError("a blend needs at least one style")
    for weight in weights:
        if not 0 < weight < math.inf:
            raise UserError(f"a style's weight must be a number above 0, got {weight:g}")
    if not math.isfinite(sum(weights)):
        raise UserError("the weights of the styles are too large: their sum is not a finite number")
    if len(weights) == 1 and weights[0] != 1:
        raise UserError(f"the weight {weights[0]:g} needs a second style; strength fades a single one")
    if masked and len(weights) == 2 and weights[0] != weights[1]:
        raise UserError("remove the weights: with a mask, two styles use its white and black areas")
