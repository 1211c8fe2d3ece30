"""Masks: white applies the style, black keeps the photo, gray mixes them."""

import os

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from stylenet.errors import UserError
from stylenet.inference.conversion import FLOATS, describe_type, is_plain
from stylenet.media.decoders import opened_image
from stylenet.media.image import to_rgb, upright

Mask = Image.Image | np.ndarray | Tensor | str | os.PathLike[str]
KINDS = "a mask must be a PIL image, a path, or an array or tensor h w of uint8, bool or floats in [0, 1]"
ROUNDING = 0.01  # what blurring may leave beyond [0, 1]; more is a mask in [0, 255]


def as_mask(mask: Mask) -> Float[Tensor, "h w"]:
    """A mask in [0, 1]: an image or its path by brightness, transparent parts as black; `uint8`, `bool`, floats.

    Raises `UserError` for anything else. A tensor stays on its device, and elsewhere than on the CPU its values
    aren't looked at.
    """
    if isinstance(mask, str | os.PathLike):
        with opened_image(mask) as image:
            mask = upright(image)
    if isinstance(mask, Image.Image):
        try:
            mask = np.asarray(_gray(upright(mask)))
        except (OSError, ValueError) as error:
            raise UserError(f"the mask cannot be read: {error}") from error
    if isinstance(mask, np.ndarray) and mask.dtype.kind in "buif":
        native = mask.astype(mask.dtype.newbyteorder("="), copy=False)
        try:
            mask = torch.from_numpy(np.require(native, requirements=["C", "W"]))
        except TypeError:  # a type that torch lacks, like float128
            raise UserError(f"{KINDS}, got {tuple(mask.shape)} of {mask.dtype}") from None
    if not isinstance(mask, Tensor):
        raise UserError(f"{KINDS}, got {describe_type(mask)}")
    known = mask.dtype in (torch.uint8, torch.bool, *FLOATS) and is_plain(mask)
    if not (known and mask.ndim == 2 and mask.numel() > 0):
        raise UserError(f"{KINDS}, got {tuple(mask.shape)} of {mask.dtype}")
    if mask.dtype == torch.uint8:
        return mask.float() / 255
    mask = mask.detach()
    _check_values(mask)
    return mask.float().clamp(0, 1)


def fit_to_image(mask: Float[Tensor, "p q"], height: int, width: int) -> Float[Tensor, "1 1 h w"]:
    """The mask stretched to the image, its edges softened as far as it takes."""
    if mask.shape == (height, width):
        return mask[None, None]
    return F.interpolate(mask[None, None], size=(height, width), mode="bilinear", antialias=True)


def _gray(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:  # white painted on a transparent layer is a mask as well
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), layer)
        image = image.convert("RGB")
    return image if image.mode == "L" else to_rgb(image).convert("L")


def _check_values(mask: Tensor) -> None:
    if mask.dtype == torch.bool or mask.device.type != "cpu":
        return
    low, high = (float(value) for value in mask.aminmax())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise UserError(f"{KINDS}, got {low:g} to {high:g}")
