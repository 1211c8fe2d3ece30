"""The contact sheet: photos above, what the network makes of them below, the painting beside."""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from stylenet.disk import atomic_write

GAP = 4  # pixels, white


def contact_sheet(
    painting: Float[Tensor, "1 3 p q"], photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]
) -> UInt8[Tensor, "height width 3"]:
    """One image of all three. Input in [0, 1]; the painting is fitted into a square as high as the two rows."""
    rows = torch.cat([grid_row(photos), grid_row(stylized)], dim=1)
    side = rows.shape[1]
    scale = side / max(painting.shape[-2:])
    size = [min(side, round(length * scale)) for length in painting.shape[-2:]]
    small = F.interpolate(painting, size=size, mode="bilinear", antialias=True)[0]
    beside = F.pad(small, (GAP, 0, 0, side - size[0]), value=1.0)
    sheet = torch.cat([rows, beside], dim=2).clamp(0, 1)
    return (sheet * 255).round().to(torch.uint8).permute(1, 2, 0).cpu()


def grid_row(pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "3 height width"]:
    """The images side by side, with a gap after each and below."""
    return torch.cat(list(F.pad(pictures, (0, GAP, 0, GAP), value=1.0)), dim=2)


def save_sheet(sheet: UInt8[Tensor, "height width 3"], path: Path) -> None:
    with atomic_write(path) as temporary:
        Image.fromarray(sheet.numpy()).save(temporary, "JPEG", quality=82)
