"""An image made by anything else, beside the network's own of the same photo, by the same figures."""

import os
from pathlib import Path
from typing import Any

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from stylenet.device import pick_device
from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.evaluation.held_out import stylized_by
from stylenet.evaluation.report import Yardstick
from stylenet.evaluation.settings import LARGEST_SIDE, SMALLEST_SIDE, EvaluationSettings
from stylenet.media.image import decode_image, to_tensor
from stylenet.models.loading import load_single_style

SAME_ASPECT = 0.02  # tools round sides to multiples of 4 or 8, or cut them off


def compare(
    style: str | os.PathLike[str], photo: Path, other: Path, settings: EvaluationSettings | None = None
) -> dict[str, Any]:
    """The figures of `other`, made by anything from `photo`, as `theirs`, and of the network's own as `ours`.

    Both have the size of `other`; `shift` and `noise`, which need the network, are missing. Raises `UserError` for what
    is no image, for less than `SMALLEST_SIDE` px, and for another aspect ratio than the photo's.
    """
    before, theirs = pair(photo, other)
    device = pick_device()
    network, card = load_single_style(style, device)
    yardstick = Yardstick(card, settings or EvaluationSettings(), device)
    before, theirs = before.to(device), theirs.to(device)
    height, width = theirs.shape[-2:]
    return {
        "name": card.name,
        "photo": str(photo),
        "against": str(other),
        "width": width,
        "height": height,
        "ours": yardstick.measure(before, stylized_by(network, before)),
        "theirs": yardstick.measure(before, theirs),
    }


def pair(photo: Path, other: Path) -> tuple[Float[Tensor, "1 3 h w"], Float[Tensor, "1 3 h w"]]:
    """The photo at the size of the other image, and that image."""
    theirs = decode_image(other, LARGEST_SIDE**2, srgb=True)
    before = decode_image(photo, srgb=True)
    if min(theirs.size) < SMALLEST_SIDE:
        raise UserError(f"{printable(other)} must have sides of at least {SMALLEST_SIDE} pixels, got {sides(theirs)}")
    if abs(theirs.width * before.height / (theirs.height * before.width) - 1) > SAME_ASPECT:
        raise UserError(
            f"{printable(other)} ({sides(theirs)}) has another aspect ratio than {printable(photo)} ({sides(before)})"
        )
    fitted = before.resize(theirs.size, Image.Resampling.LANCZOS)
    return to_tensor(fitted)[None], to_tensor(theirs)[None]


def sides(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"
