"""Controls of a style: stroke width, colors, strength, mask.

They combine, and are applied in this order: stroke, network, match colors, keep colors, strength, mask. So strength
fades from the full style, in its colors, to the photo, and the mask is applied last.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from stylenet.inference.color import (
    Recoloring,
    apply_color_map,
    fit_color_map,
    keep_colors,
    palette_of,
    palette_of_strips,
)
from stylenet.inference.settings import Brush
from stylenet.media.image import to_uint8

STRIP_PIXELS = 1 << 20  # of an image that is too large for floats of the whole


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
        stylized = apply_color_map(stylized, colors or fit_colors(photos, stylized))
    if brush.keep_colors:
        stylized = keep_colors(photos, stylized)
    stylized = fade(photos, stylized, brush.strength)
    return stylized if mask is None else torch.lerp(photos, stylized, mask)


def apply_controls_in_strips(
    photos: UInt8[Tensor, "b 3 h w"],
    stylized: UInt8[Tensor, "b 3 h w"],
    floats: Callable[[Tensor], Tensor],
    brush: Brush,
    mask: Float[Tensor, "1 1 h w"] | None = None,
) -> None:
    """Applies all controls but the stroke to `stylized` itself, strip by strip, for images of any size.

    `floats` gives whole numbers as floats in [0, 1].
    """
    height, width = photos.shape[-2:]
    count = max(1, STRIP_PIXELS // width)
    strips = [slice(first, first + count) for first in range(0, height, count)]
    colors = None
    if brush.match_colors:
        source, target = (palette_of_strips(floats(x[:, :, rows]) for rows in strips) for x in (stylized, photos))
        colors = fit_color_map(source, target)
    for rows in strips:
        part = None if mask is None else mask[:, :, rows]
        pair = floats(photos[:, :, rows]), floats(stylized[:, :, rows])
        stylized[:, :, rows] = to_uint8(apply_controls(*pair, brush, part, colors))


def fit_colors(photos: Float[Tensor, "b 3 h w"], stylized: Float[Tensor, "b 3 h w"]) -> Recoloring:
    """The color map by which `match_colors` fits the stylized images to the photos."""
    return fit_color_map(palette_of(stylized), palette_of(photos))


def fade(
    photos: Float[Tensor, "b 3 h w"], stylized: Float[Tensor, "b 3 h w"], strength: float
) -> Float[Tensor, "b 3 h w"]:
    """The photo at strength 0, the stylized image at 1, and beyond it further along the same line, in [0, 1].

    A plain fade: scaling the network's residual branches instead had the higher style loss at equal content loss,
    also when trained for it, and does not reach the photo.
    """
    return torch.lerp(photos, stylized, strength).clamp(0, 1)
