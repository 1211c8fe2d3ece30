"""A style, ready for use: pictures in, stylized pictures of the same kind and size out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from stylenet.device import bf16_pays, pick_device, working_memory
from stylenet.errors import UserError
from stylenet.inference.brush import Brush
from stylenet.inference.compiling import PAYS_AFTER, Compiled
from stylenet.inference.mask import Mask
from stylenet.inference.painter import Painter, check_values
from stylenet.inference.strips import Progress, Reader, Strips, Writer, bytes_per_pixel, unseen
from stylenet.inference.stroke import back_at_full_size, scaled
from stylenet.media.image import to_image, to_uint8
from stylenet.models.catalog import load_single_style
from stylenet.models.style_file import Card

LAYOUT = torch.channels_last  # the faster one, on CPUs as on GPUs


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
        network: nn.Module,
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
        return cls(*load_single_style(style), device, dtype, compile, memory)

    def with_network(self, network: nn.Module) -> "Stylizer":
        """The same with another network of the same architecture, on the same device and of the same type."""
        other = copy(self)
        other.plain = network
        other.network = Compiled(network, self.network.after) if isinstance(self.network, Compiled) else network
        return other

    @property
    def networks(self) -> list[nn.Module]:
        return [self.network]

    def paint(self, photos: Float[Tensor, "b 3 h w"], stroke: float = 1.0) -> Float[Tensor, "b 3 h w"]:
        if stroke == 1:
            return self._forward(photos)
        small = scaled(photos, stroke, getattr(self.plain, "minimum_side", 1))
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
        check_values(pixels)
        return self._each_in_strips(photos, torch.empty_like(photos)).view(pixels.shape)

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Float[Tensor, "b 3 h w"]:
        if not self._takes_whole(pixels[:, 0].numel()):
            return self._each_in_strips(pixels, torch.empty(pixels.shape, device=self.device))
        with self._memory_errors(*pixels.shape[-2:]):
            stylized: Tensor = self.network(self._prepared(pixels))
        return stylized.float()

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


def fast_dtype(device: torch.device) -> torch.dtype:
    """fp16 on a GPU; on a CPU bf16 where it has units for it and they prove faster, else fp32."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if bf16_pays("cpu") else torch.float32
