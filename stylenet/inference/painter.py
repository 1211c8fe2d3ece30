"""What makes pictures of photos, whatever kind of picture a script has: PIL images, arrays, tensors."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from stylenet.errors import UserError
from stylenet.inference.brush import Brush, finished
from stylenet.inference.mask import Mask, as_mask, fitted
from stylenet.inference.strips import Progress
from stylenet.media.image import to_rgb, to_uint8

Picture = TypeVar("Picture", Image.Image, np.ndarray, Tensor)
KINDS = "a PIL image, an array (h w 3 or b h w 3) or a tensor (3 h w or b 3 h w)"
OVERSHOOT = 0.5  # what a sharp resize may leave beyond [0, 1]; more is a picture in [0, 255]


class Painter(ABC):
    """What makes pictures of photos: one style, or several."""

    device: torch.device

    @property
    @abstractmethod
    def networks(self) -> list[nn.Module]:
        """All that are at work here."""

    @abstractmethod
    def paint(self, photos: Float[Tensor, "b 3 h w"], stroke: float = 1.0) -> Float[Tensor, "b 3 h w"]:
        """The photos in the style, in strokes of this width, and nothing else done to them; in [0, 1]."""

    @abstractmethod
    def watch(self, progress: Progress) -> None:
        """Lets `progress` hear how many of its rows are done of each picture that goes in strips."""

    def stylize(self, image: Picture, brush: Brush = Brush(), mask: Mask | None = None) -> Picture:
        """Stylizes a picture, or a batch of equal sizes at once; the same kind comes back, of the same size.

        Takes a PIL image (any mode; RGB comes back), an array `h w 3` or `b h w 3`, or a tensor `3 h w` or
        `b 3 h w` on any device; RGB, as `uint8` or as floats in [0, 1]. Sides must be at least 16 px.
        `brush` says how the style is applied, `mask` where: white is the style, black the photo. A PIL image, or an
        array or tensor `h w` of `uint8`, `bool` or floats in [0, 1]; of any size, stretched to the picture.
        Raises `UserError` for anything else.
        """
        if isinstance(image, Image.Image):
            return self._stylize_image(to_rgb(image), brush, mask)
        if isinstance(image, np.ndarray):
            _check(image.ndim in (3, 4) and image.shape[-1] == 3, image)
            # A copy only where torch needs one: of read-only or oddly ordered memory.
            pixels = torch.from_numpy(np.require(image, requirements=["C", "W"]))
            return self.stylize(pixels.movedim(-1, -3), brush, mask).movedim(-3, -1).contiguous().numpy()
        return self._stylize_tensor(image, brush, mask)

    def _stylize_image(self, image: Image.Image, brush: Brush, mask: Mask | None) -> Image.Image:
        return Image.fromarray(self.stylize(np.asarray(image), brush, mask))

    def _stylize_tensor(self, pixels: Tensor, brush: Brush, mask: Mask | None) -> Tensor:
        _check(pixels.ndim in (3, 4) and pixels.shape[-3] == 3 and pixels.numel() > 0, pixels)
        check_values(pixels)
        with torch.inference_mode():
            stylized = self._brushed(pixels if pixels.ndim == 4 else pixels[None], brush, mask)
        # Rounded on the device, so that a quarter of the bytes travel back.
        stylized = to_uint8(stylized) if pixels.dtype == torch.uint8 else stylized.to(pixels.dtype)
        return stylized.view(pixels.shape).to(pixels.device)

    def warmup(self, height: int, width: int, brush: Brush = Brush()) -> None:
        """Stylizes a black frame of this size, so that the first of many is as fast as the rest."""
        self.stylize(np.zeros((height, width, 3), np.uint8), brush)

    def _brushed(self, pixels: Tensor, brush: Brush, mask: Mask | None) -> Float[Tensor, "b 3 h w"]:
        photos = self._photos(pixels)
        fitting = None if mask is None else self._fitted(mask, photos)
        return finished(photos, self.paint(photos, brush.stroke), brush, fitting)

    def _photos(self, pixels: Tensor) -> Float[Tensor, "b 3 h w"]:
        """The pixels on the device, as floats in [0, 1]."""
        photos = pixels.to(self.device)
        return photos.float() / 255 if photos.dtype == torch.uint8 else photos.float()

    def _fitted(self, mask: Mask, photos: Tensor) -> Float[Tensor, "1 1 h w"]:
        height, width = photos.shape[-2:]
        return fitted(as_mask(mask).to(self.device), height, width)


@dataclass(frozen=True)
class BoundStyler:
    """A painter with a fixed brush and mask, for pipelines that pass images alone (a `Styler`)."""

    painter: Painter
    brush: Brush = Brush()
    mask: Mask | None = None

    @property
    def networks(self) -> list[nn.Module]:
        return self.painter.networks

    def stylize(self, image: Picture) -> Picture:
        """Stylizes as the painter does, with this brush and this mask."""
        return self.painter.stylize(image, self.brush, self.mask)


def _check(fits: bool, image: np.ndarray | Tensor) -> None:
    if not fits:
        raise UserError(f"a picture must be {KINDS}, got {type(image).__name__} {tuple(image.shape)}")


def check_values(pixels: Tensor) -> None:
    if pixels.dtype == torch.uint8:
        return
    if not pixels.is_floating_point():
        raise UserError(f"pixels must be uint8 or floats in [0, 1], got {pixels.dtype}")
    if pixels.device.type != "cpu":
        return  # looking would make the program wait for the device
    low, high = (float(value) for value in pixels.aminmax())
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
        raise UserError(f"float pixels must lie in [0, 1], got {low:g} to {high:g}")
