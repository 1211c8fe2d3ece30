"""The base of single styles and blends: `stylize`, for every kind of image."""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from stylenet.device import memory_errors
from stylenet.errors import UserError
from stylenet.inference.brush import apply_controls, apply_controls_in_strips
from stylenet.inference.conversion import (
    KINDS,
    ProfiledImage,
    array_pixels,
    as_rgb,
    check_tensor,
    describe_type,
    pixel_array,
)
from stylenet.inference.mask import Mask, as_mask, fit_to_image
from stylenet.inference.settings import PLAIN, Brush
from stylenet.inference.strips import Progress
from stylenet.media.image import to_uint8

Kind = TypeVar("Kind")  # of image, of which the result is too


class Painter(ABC):
    """The base of `Stylizer` and `Blend`."""

    device: torch.device

    @property
    @abstractmethod
    def networks(self) -> list[nn.Module]:
        """All networks at work."""

    @abstractmethod
    def separate(self) -> "Painter":
        """A copy with networks of its own."""

    @abstractmethod
    def check(self) -> None:
        """Raises `UserError` in a process where this cannot be used."""

    @abstractmethod
    def paint(self, pixels: Tensor, stroke: float = 1.0) -> Tensor:
        """Images `b 3 h w`, `uint8` or floats in [0, 1], in the style, with strokes of this width; no other controls.

        Floats in [0, 1]; but pixels that go through the network in strips come back as the type that they had.
        """

    @abstractmethod
    def watch(self, progress: Progress) -> None:
        """Calls `progress(done, of)` with the rows done of each image that is processed in strips."""

    def stylize(self, image: Kind, brush: Brush = PLAIN, mask: Mask | None = None) -> Kind:
        """Stylizes an image, or a batch of equal sizes at once; returns the same kind, of the same size.

        Takes a PIL image of any mode, or the path of an image file (`str` or `Path`; a PIL image comes back): RGB
        comes back, turned upright as the EXIF data says, with the color profile in `info`, where `save` finds it.
        Or an array `h w 3` or `b h w 3`, or a tensor `3 h w` or `b 3 h w` on any device: RGB, as `uint8` or as floats
        in [0, 1]. Or a list of these, whose results are a list. Sides must be at least 16 px. `brush` says how the
        style is applied; `mask` where: white is the style, black the original. A PIL image, a path, or an array or
        tensor `h w` of `uint8`, `bool` or floats in [0, 1]; of any size, stretched to the image.
        Several threads may call this at once. Raises `UserError` for anything else.
        """
        if not isinstance(brush, Brush):
            raise UserError(f"brush must be a stylenet.Brush, got {describe_type(brush)}")
        self.check()
        result: Any  # whose type mypy cannot derive from the image's
        match image:
            case list() | tuple():
                result = [self.stylize(one, brush, mask) for one in image]
            case str() | os.PathLike() | Image.Image():
                rgb, profile = as_rgb(image)
                stylized = self._stylize_image(rgb, brush, mask)
                result = ProfiledImage.of(stylized, profile) if profile else stylized
            case np.ndarray():
                result = pixel_array(self._stylize_tensor(array_pixels(image), brush, mask))
            case Tensor():
                result = self._stylize_tensor(image, brush, mask)
            case _:
                raise UserError(f"an image must be {KINDS}, got {describe_type(image)}")
        return result  # type: ignore[no-any-return]

    def _stylize_image(self, image: Image.Image, brush: Brush, mask: Mask | None) -> Image.Image:
        return Image.fromarray(pixel_array(self._stylize_tensor(array_pixels(np.asarray(image)), brush, mask)))

    def _stylize_tensor(self, pixels: Tensor, brush: Brush, mask: Mask | None) -> Tensor:
        """Stylizes pixels of which nothing is known yet; the result is an ordinary tensor, on the same device."""
        check_tensor(pixels)
        height, width = pixels.shape[-2:]
        no_memory = memory_errors(f"not enough memory on {self.device} for {width} x {height} pixels")
        with no_memory, torch.no_grad():  # not inference mode, whose tensors callers could not change
            stylized = self._brushed(pixels if pixels.ndim == 4 else pixels[None], brush, mask)
            if stylized.dtype != pixels.dtype:  # rounded on the device, so that a quarter of the bytes travel back
                stylized = to_uint8(stylized) if pixels.dtype == torch.uint8 else stylized.to(pixels.dtype)
            stylized = stylized.view(pixels.shape).to(pixels.device)
        return stylized.clone() if stylized.is_inference() else stylized

    def warmup(self, height: int, width: int, brush: Brush = PLAIN) -> None:
        """Stylizes a black frame of this size, so that the first of many is as fast as the rest."""
        self.stylize(np.zeros((height, width, 3), np.uint8), brush)

    def _brushed(self, pixels: Tensor, brush: Brush, mask: Mask | None) -> Tensor:
        if brush == PLAIN and mask is None:
            return self.paint(pixels)
        fitting = None if mask is None else self._fitted(mask, pixels)
        stylized = self.paint(pixels, brush.stroke)
        if stylized.dtype == torch.uint8:
            apply_controls_in_strips(pixels, stylized, self._photos, brush, fitting)
            return stylized
        # In strips, the result is in the pixels' own type and on their device.
        return apply_controls(self._photos(pixels), stylized.to(self.device, torch.float32), brush, fitting)

    def _photos(self, pixels: Tensor) -> Float[Tensor, "b 3 h w"]:
        """The pixels on the device, as floats in [0, 1]."""
        photos = pixels.to(self.device)
        return photos.float() / 255 if photos.dtype == torch.uint8 else photos.float()

    def _fitted(self, mask: Mask, photos: Tensor) -> Float[Tensor, "1 1 h w"]:
        height, width = photos.shape[-2:]
        return fit_to_image(as_mask(mask).to(self.device), height, width)


@dataclass(frozen=True)
class BoundStyler:
    """A painter with a fixed brush and mask, for pipelines that pass images alone (a `Styler`)."""

    painter: Painter
    brush: Brush = PLAIN
    mask: Mask | None = None

    @property
    def networks(self) -> list[nn.Module]:
        return self.painter.networks

    def separate(self) -> "BoundStyler":
        """The same with networks of its own."""
        return replace(self, painter=self.painter.separate())

    def stylize(self, image: Kind) -> Kind:
        """Stylizes as the painter does, with this brush and this mask."""
        return self.painter.stylize(image, self.brush, self.mask)
