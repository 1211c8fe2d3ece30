"""A hand on the brush: how strong, how wide, in whose colours, and where.

All of it composes, in this order: stroke, network, match colours, keep colours, strength, mask. So the colours are
those of the full look, the strength fades from them to the photo, and the mask has the last word on where.
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
    """How a style is applied; `Brush()` is the style's own look.

    `strength`: 0 is the photo, 1 the style's look, up to 1.5 goes further the same way. `stroke`: 2 doubles the width
    of the strokes, 0.5 halves it; time goes with 1/stroke². `keep_colors`: the photo's colours under the style's
    luminance. `match_colors`: the stylised picture's palette, as a whole, fitted to the photo's.
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


def finished(
    photos: Float[Tensor, "b 3 h w"],
    stylised: Float[Tensor, "b 3 h w"],
    brush: Brush,
    mask: Float[Tensor, "1 1 h w"] | None = None,
    colors: Recoloring | None = None,
) -> Float[Tensor, "b 3 h w"]:
    """What the network made, after the rest of the brush: colours, strength, mask.

    Looks at one pixel at a time, so a strip of a picture may come instead of the whole; `colors` must then be the
    whole picture's, and is measured here when it isn't given.
    """
    if brush.match_colors:
        stylised = recolored(stylised, colors or matching(photos, stylised))
    if brush.keep_colors:
        stylised = keep_colors(photos, stylised)
    stylised = fade(photos, stylised, brush.strength)
    return stylised if mask is None else torch.lerp(photos, stylised, mask)


def matching(photos: Float[Tensor, "b 3 h w"], stylised: Float[Tensor, "b 3 h w"]) -> Recoloring:
    """What `match_colors` does to the stylised pictures' colours."""
    return recoloring(palette_of(stylised), palette_of(photos))


def fade(
    photos: Float[Tensor, "b 3 h w"], stylised: Float[Tensor, "b 3 h w"], strength: float
) -> Float[Tensor, "b 3 h w"]:
    """The photo at strength 0, the stylised picture at 1, and beyond it further along the same line, in [0, 1].

    A plain fade: scaling the network's residual branches instead had the higher style loss at equal content loss,
    also when trained for it, and does not reach the photo.
    """
    return torch.lerp(photos, stylised, strength).clamp(0, 1)
