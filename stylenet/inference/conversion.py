"""Images of every kind that a script may have, as pixels: paths, PIL images, arrays, tensors."""

import os
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylenet.errors import UserError
from stylenet.media.decoders import opened_image
from stylenet.media.image import to_rgb, upright
from stylenet.media.metadata import kept_profile

KINDS = "a PIL image, a path, an array (h w 3 or b h w 3), a tensor (3 h w or b 3 h w), or a list of these"
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
OVERSHOOT = 0.5  # what a sharp resize may leave beyond [0, 1]; more is an image in [0, 255]


class ProfiledImage(Image.Image):
    """A PIL image whose `save` also writes its color profile, which Pillow's own leaves out of JPEG and WebP."""

    @classmethod
    def of(cls, image: Image.Image, profile: bytes) -> "ProfiledImage":
        """Gives the image itself, not a copy, a profile."""
        image.__class__ = cls
        image.info["icc_profile"] = profile
        return cast(ProfiledImage, image)

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        super().save(fp, format, **{"icc_profile": self.info.get("icc_profile"), **params})


def as_rgb(image: Image.Image | str | os.PathLike[str]) -> tuple[Image.Image, bytes]:
    """An image or its file as RGB, upright as its EXIF data says, and its color profile where that still holds.

    Raises `UserError` for a file that cannot be read.
    """
    if not isinstance(image, Image.Image):
        with opened_image(image) as file:
            return as_rgb(file)
    try:
        return to_rgb(upright(image)), kept_profile(image)
    except (OSError, ValueError) as error:  # PIL reads an image when its pixels are asked for, and not if it is closed
        raise UserError(f"the image cannot be read: {error}") from error


def array_pixels(array: np.ndarray) -> Tensor:
    """An array `h w 3` or `b h w 3` as a tensor `3 h w` or `b 3 h w`, without a copy where torch needs none."""
    check_shape(array.ndim in (3, 4) and array.shape[-1] == 3 and array.size > 0, array)
    if array.dtype.kind not in "buif":
        raise UserError(f"pixels must be uint8 or floats in [0, 1], got {array.dtype}")
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    try:
        pixels = torch.from_numpy(np.require(native, requirements=["C", "W"]))
    except TypeError:  # a type that torch lacks, like float128
        raise UserError(f"pixels must be uint8 or floats in [0, 1], got {array.dtype}") from None
    return pixels.movedim(-1, -3)


def pixel_array(pixels: Tensor) -> np.ndarray:
    """A tensor `3 h w` or `b 3 h w` as an array `h w 3` or `b h w 3`."""
    return pixels.movedim(-3, -1).contiguous().numpy()


def check_tensor(pixels: Tensor) -> None:
    """Raises `UserError` unless this is a tensor `3 h w` or `b 3 h w` of `uint8` or of floats in [0, 1]."""
    check_shape(pixels.ndim in (3, 4) and pixels.shape[-3] == 3 and pixels.numel() > 0, pixels)
    if not is_plain(pixels):
        raise UserError("pixels must be in an ordinary tensor, got one that is sparse or without values")
    if pixels.dtype == torch.uint8:
        return
    if pixels.dtype not in FLOATS:
        raise UserError(f"pixels must be uint8 or floats in [0, 1], got {pixels.dtype}")
    if pixels.device.type != "cpu":
        return  # reading values would make the program wait for the device
    low, high = (float(value) for value in pixels.detach().aminmax())
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
        raise UserError(f"float pixels must lie in [0, 1], got {low:g} to {high:g}")


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor has a value at each place: it is neither sparse nor on the device `meta`."""
    return tensor.layout == torch.strided and tensor.device.type != "meta"


def check_shape(fits: bool, image: Any) -> None:
    if not fits:
        raise UserError(f"an image must be {KINDS}, got {describe_type(image)}")


def describe_type(image: Any) -> str:
    """The type of an object, and its shape if it has one."""
    shape = getattr(image, "shape", None)
    return f"{type(image).__name__} {tuple(shape)}" if isinstance(shape, tuple) else type(image).__name__
