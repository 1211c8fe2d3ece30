"""A style, ready for use: pictures in, stylised pictures of the same kind and size out."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from stylenet.applying.brush import Brush, finished
from stylenet.applying.compiling import PAYS_AFTER, Compiled
from stylenet.applying.mask import Mask, as_mask, fitted
from stylenet.applying.strips import Progress, Reader, Strips, Writer, bytes_per_pixel, unseen
from stylenet.applying.stroke import back_at_full_size, scaled
from stylenet.checkpoints import find_style
from stylenet.device import bf16_pays, pick_device, working_memory
from stylenet.errors import UserError
from stylenet.image import to_image, to_rgb, to_uint8
from stylenet.network import TransformerNet
from stylenet.style_file import Card, load_style

Picture = TypeVar("Picture", Image.Image, np.ndarray, Tensor)
KINDS = "a PIL image, an array (h w 3 or b h w 3) or a tensor (3 h w or b 3 h w)"
LAYOUT = torch.channels_last  # the faster one, on CPUs as on GPUs
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
        """Stylises a picture, or a batch of equal sizes at once; the same kind comes back, of the same size.

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
        _check_values(pixels)
        with torch.inference_mode():
            stylised = self._brushed(pixels if pixels.ndim == 4 else pixels[None], brush, mask)
        # Rounded on the device, so that a quarter of the bytes travel back.
        stylised = to_uint8(stylised) if pixels.dtype == torch.uint8 else stylised.to(pixels.dtype)
        return stylised.view(pixels.shape).to(pixels.device)

    def warmup(self, height: int, width: int, brush: Brush = Brush()) -> None:
        """Stylises a black frame of this size, so that the first of many is as fast as the rest."""
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


class Stylizer(Painter):
    """One network on one device.

    Half precision where that is faster: fp16 on a GPU, bf16 on a CPU with bf16 units. `dtype` chooses otherwise.
    `compile` compiles the network for each size of picture, which takes half a minute: at once, or for `auto` after so
    many pictures of a size that it pays. A picture for which the network would need more than about `memory` bytes goes
    through it in strips, with the same result but for rounding; by default that is a quarter of the device's memory,
    and at most 1 GiB of a CPU's.
    """

    def __init__(
        self,
        network: TransformerNet,
        card: Card,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        compile: bool | Literal["auto"] = False,  # noqa: A002, as torch names it
        memory: int | None = None,
    ) -> None:
        self.card = card
        self.device = pick_device(device)
        self.dtype = dtype or fast_dtype(self.device)
        network = network.to(self.device, self.dtype, memory_format=LAYOUT).eval()  # type: ignore[call-overload]
        self.memory = working_memory(self.device) if memory is None else memory
        self.plain, self.bytes_per_pixel = network, bytes_per_pixel(network)
        self._progress: Progress = unseen
        self.network = Compiled(network, PAYS_AFTER if compile == "auto" else 0) if compile else network

    @classmethod
    def load(
        cls,
        style: str | os.PathLike[str],
        device: str = "auto",
        dtype: torch.dtype | None = None,
        compile: bool | Literal["auto"] = False,  # noqa: A002
        memory: int | None = None,
    ) -> "Stylizer":
        """A style by its name in `checkpoints/` or by its file.

        Raises `UserError` when there is no such style, no such device, or the file isn't a style file.
        """
        return cls(*load_style(find_style(style)), device, dtype, compile, memory)

    @property
    def networks(self) -> list[nn.Module]:
        return [self.network]

    def paint(self, photos: Float[Tensor, "b 3 h w"], stroke: float = 1.0) -> Float[Tensor, "b 3 h w"]:
        if stroke == 1:
            return self._forward(photos)
        small = scaled(photos, stroke)
        return back_at_full_size(self._forward(small), small, photos)

    def watch(self, progress: Progress) -> None:
        self._progress = progress

    def _brushed(self, pixels: Tensor, brush: Brush, mask: Mask | None) -> Float[Tensor, "b 3 h w"]:
        if brush == Brush() and mask is None:
            return self._forward(pixels)
        return super()._brushed(pixels, brush, mask)

    def _stylize_image(self, image: Image.Image, brush: Brush, mask: Mask | None) -> Image.Image:
        if brush != Brush() or mask is not None or self._takes_whole(image.width * image.height):
            return super()._stylize_image(image, brush, mask)
        # From Pillow's memory to Pillow's memory: an array of the whole would be there beside it, and its copy.
        result = Image.new("RGB", image.size)

        def read(first: int, end: int) -> Float[Tensor, "1 3 n w"]:
            rows = np.array(image.crop((0, first, image.width, end)))
            return self._prepared(torch.from_numpy(rows).movedim(-1, 0)[None])

        def write(first: int, rows: Float[Tensor, "1 3 n w"]) -> None:
            result.paste(to_image(rows[0]), (0, first))

        self._in_strips(read, write, image.height, image.width)
        return result

    def _stylize_tensor(self, pixels: Tensor, brush: Brush, mask: Mask | None) -> Tensor:
        photos = pixels if pixels.ndim == 4 else pixels[None]
        whole = photos.ndim != 4 or self._takes_whole(photos[:, 0].numel())
        if brush != Brush() or mask is not None or whole:
            return super()._stylize_tensor(pixels, brush, mask)
        # As floats, a picture of this size would be in memory four times.
        _check_values(pixels)
        return self._each_in_strips(photos, torch.empty_like(photos)).view(pixels.shape)

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Float[Tensor, "b 3 h w"]:
        if not self._takes_whole(pixels[:, 0].numel()):
            return self._each_in_strips(pixels, torch.empty(pixels.shape, device=self.device))
        with self._memory_errors(*pixels.shape[-2:]):
            stylised: Tensor = self.network(self._prepared(pixels))
        return stylised.float()

    def _each_in_strips(self, photos: Tensor, result: Tensor) -> Tensor:
        """The network's pictures, written into `result` strip by strip; in whole numbers if it holds those."""

        def stylize(photo: Tensor, target: Tensor) -> None:
            def read(first: int, end: int) -> Float[Tensor, "1 3 n w"]:
                return self._prepared(photo[None, :, first:end])

            def write(first: int, rows: Float[Tensor, "1 3 n w"]) -> None:
                rounded = to_uint8(rows) if target.dtype == torch.uint8 else rows
                target[:, first : first + rows.shape[2]] = rounded[0]

            self._in_strips(read, write, *photo.shape[-2:])

        for photo, target in zip(photos, result, strict=True):
            stylize(photo, target)
        return result

    @torch.inference_mode()
    def _in_strips(self, read: Reader, write: Writer, height: int, width: int) -> None:
        with self._memory_errors(height, width):
            Strips(self.plain, read, height, width, self.memory).stylize(write, self._progress)

    def _prepared(self, pixels: Tensor) -> Float[Tensor, "b 3 h w"]:
        """The pixels as the network takes them."""
        photos = pixels.to(self.device)
        photos = photos.float() / 255 if photos.dtype == torch.uint8 else photos
        return photos.to(self.dtype, memory_format=LAYOUT)

    def _takes_whole(self, pixels: int) -> bool:
        return pixels * self.bytes_per_pixel <= self.memory

    @contextmanager
    def _memory_errors(self, height: int, width: int) -> Iterator[None]:
        """Makes a line of what torch says when memory is short."""
        try:
            yield
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            raise UserError(f"not enough memory on {self.device} for {width} x {height} pixels") from error


@dataclass(frozen=True)
class Look:
    """A painter with a brush and a mask in hand, for those who have nothing but pictures."""

    painter: Painter
    brush: Brush = Brush()
    mask: Mask | None = None

    @property
    def networks(self) -> list[nn.Module]:
        return self.painter.networks

    def stylize(self, image: Picture) -> Picture:
        """As the painter does, with this brush and this mask."""
        return self.painter.stylize(image, self.brush, self.mask)


def fast_dtype(device: torch.device) -> torch.dtype:
    """fp16 on a GPU; on a CPU bf16 where it has units for it and they prove faster, else fp32."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if bf16_pays("cpu") else torch.float32


def _check(fits: bool, image: np.ndarray | Tensor) -> None:
    if not fits:
        raise UserError(f"a picture must be {KINDS}, got {type(image).__name__} {tuple(image.shape)}")


def _check_values(pixels: Tensor) -> None:
    if pixels.dtype == torch.uint8:
        return
    if not pixels.is_floating_point():
        raise UserError(f"pixels must be uint8 or floats in [0, 1], got {pixels.dtype}")
    if pixels.device.type != "cpu":
        return  # looking would make the program wait for the device
    low, high = (float(value) for value in pixels.aminmax())
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
        raise UserError(f"float pixels must lie in [0, 1], got {low:g} to {high:g}")
