"""Controls of a style: stroke width, colors, strength, mask.

They combine, and are applied in this order: stroke, network, match colors, keep colors, strength, mask. So strength
fades from the full style, in its colors, to the photo, and the mask is applied last.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.inference.color import Recoloring, keep_colors, palette_of, recolored, recoloring
from stylenet.inference.settings import Brush


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
    """The color map by which `match_colors` fits the stylized images to the photos."""
    return recoloring(palette_of(stylized), palette_of(photos))


def fade(
    photos: Float[Tensor, "b 3 h w"], stylized: Float[Tensor, "b 3 h w"], strength: float
) -> Float[Tensor, "b 3 h w"]:
    """The photo at strength 0, the stylized image at 1, and beyond it further along the same line, in [0, 1].

    A plain fade: scaling the network's residual branches instead had the higher style loss at equal content loss,
    also when trained for it, and does not reach the photo.
    """
    return torch.lerp(photos, stylized, strength).clamp(0, 1)
