"""Controls of a style: stroke width, colors, strength, mask.

They combine, and are applied in this order: stroke, network, match colors, keep colors, strength, mask. So strength
fades from the full style, in its colors, to the photo, and the mask is applied last.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.errors import UserError
from stylenet.inference.color import Recoloring, keep_colors, palette_of, recolored, recoloring

STRENGTHS, STROKES = (0.0, 1.5), (0.5, 2.0)


@dataclass(frozen=True)
class Brush:
    """How a style is applied; `Brush()` applies it as it is.

    `strength`: 0 is the photo, 1 the full style, up to 1.5 exaggerates it. `stroke`: 2 doubles the width
    of the strokes, 0.5 halves it; time goes with 1/stroke². `keep_colors`: the photo's colors under the style's
    luminance. `match_colors`: the stylized picture's palette, as a whole, fitted to the photo's.
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


def apply_controls(
    photos: Float[Tensor, "b 3 h w"],
    stylized: Float[Tensor, "b 3 h w"],
    brush: Brush,
    mask: Float[Tensor, "1 1 h w"] | None = None,
    colors: Recoloring | None = None,
) -> Float[Tensor, "b 3 h w"]:
    """Applies all controls but the stroke to the network's output: colors, strength, mask.

    Each pixel is treated by itself, so strips may come instead of whole images; `colors` must then be the whole
    image's, and is measured here when it isn't given.
    """
    if brush.match_colors:
        stylized = recolored(stylized, colors or matching(photos, stylized))
    if brush.keep_colors:
        stylized = keep_colors(photos, stylized)
    stylized = fade(photos, stylized, brush.strength)
    return stylized if mask is None else torch.lerp(photos, stylized, mask)


def matching(photos: Float[Tensor, "b 3 h w"], stylized: Float[Tensor, "b 3 h w"]) -> Recoloring:
    """What `match_colors` does to the stylized pictures' colors."""
    return recoloring(palette_of(stylized), palette_of(photos))


def fade(
    photos: Float[Tensor, "b 3 h w"], stylized: Float[Tensor, "b 3 h w"], strength: float
) -> Float[Tensor, "b 3 h w"]:
    """The photo at strength 0, the stylized picture at 1, and beyond it further along the same line, in [0, 1].

    A plain fade: scaling the network's residual branches instead had the higher style loss at equal content loss,
    also when trained for it, and does not reach the photo.
    """
    return torch.lerp(photos, stylized, strength).clamp(0, 1)
