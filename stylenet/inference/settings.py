"""Settings of how a style is applied: the controls of an image, a blend's weights. Imports nothing large."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stylenet.errors import UserError

SMOOTHING = 0.5  # seconds: the time constant of temporal smoothing in videos
STRENGTHS, STROKES = (0.0, 1.5), (0.5, 2.0)


@dataclass(frozen=True)
class Brush:
    """How a style is applied; `Brush()` applies it as it is.

    `strength`: 0 is the photo, 1 the full style, up to 1.5 exaggerates it. `stroke`: 2 doubles the width
    of the strokes, 0.5 halves it; time goes with 1/stroke². `keep_colors`: the photo's colors under the style's
    luminance. `match_colors`: the stylized image's palette, as a whole, fitted to the photo's.
    Raises `UserError` for a number out of its range.
    """

    strength: float = 1.0
    stroke: float = 1.0
    keep_colors: bool = False
    match_colors: bool = False

    def __post_init__(self) -> None:
        for name, value, (low, high) in (("strength", self.strength, STRENGTHS), ("stroke", self.stroke, STROKES)):
            if not low <= value <= high:
                raise UserError(f"{name} must lie between {low:g} and {high:g}, got {value:g}")


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
