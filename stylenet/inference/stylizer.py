"""A style, ready for use: images in, stylized images of the same kind and size out."""

import logging
import os
from contextlib import AbstractContextManager
from copy import copy, deepcopy
from functools import cache, partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from stylenet.device import NoMemoryError, fast_dtype, memory_errors, pick_device, total_memory, working_memory
from stylenet.engines.network import Engine, EngineNetwork
from stylenet.engines.settings import TORCH
from stylenet.errors import UserError
from stylenet.inference.compiling import PAYS_AFTER, Compiled
from stylenet.inference.conversion import FLOATS
from stylenet.inference.mask import Mask
from stylenet.inference.painter import Painter
from stylenet.inference.settings import PLAIN, Brush, number
from stylenet.inference.strips import WHOLE, Progress, Reader, Strips, Writer, bytes_per_pixel, unseen
from stylenet.inference.stroke import back_at_full_size, scale_down
from stylenet.media.image import to_image, to_uint8
from stylenet.models.loading import load_single_style
from stylenet.models.network import StyleNetwork
from stylenet.models.style_file import Card
from stylenet.models.uniform_images import extremes, replace_uniform_images

log = logging.getLogger(__name__)

LAYOUT = torch.channels_last  # the faster one, on CPUs as on GPUs
MAXIMUM_NUMBERS = 2**31  # of a tensor, in CUDA's reflection pad


@cache
def single_threads_after_fork() -> None:
    """Makes torch single-threaded in forked children: a used pool of OpenMP threads does not survive a fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


def check_settings(dtype: object, memory: object) -> None:
    """Raises `UserError` for types that a network cannot have, and for a memory that is no number of bytes."""
    if dtype is not None and dtype not in FLOATS:
        raise UserError(f"dtype must be one of {', '.join(map(str, FLOATS))}, got {dtype!r:.80}")
    if memory is not None and not number(memory, "memory") >= 0:
        raise UserError(f"memory must be a number of bytes, 0 or more, got {memory!r:.80}")


class Stylizer(Painter):
    """One network on one device.

    `device` is `auto`, or a device by torch's names: `cpu`, `cuda`, `cuda:1`, `mps`, or a `torch.device`. Half
    precision where that is faster: fp16 on a GPU, bf16 on a CPU with bf16 units; `dtype` chooses otherwise. `compile`
    compiles the network for each image size, which takes half a minute: at once, or for `auto` after so many images of
    a size that it is worth it. An image for which the network would need more than about `memory` bytes goes through it
    in strips, with the same result but for rounding; by default that is a quarter of the device's memory, and at most 1
    GiB of a CPU's, or what the narrowest strips of a wider image take. The network itself is copied. A stylizer can be
    pickled and shared by threads.

    `engine` `onnx` (ONNX Runtime) or `openvino` applies the network of a style file by that runtime, on the CPU:
    images whole, so that one that takes more than `memory` bytes, or all there are, is refused; and without temporal
    smoothing. Raises `UserError` for a device, a `dtype` or `compile` that the engine does not have.
    """

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        device: str | torch.device = "auto",
        dtype: torch.dtype | None = None,
        compile: bool | Literal["auto"] = False,  # noqa: A002, as torch names it
        memory: int | None = None,
        engine: str = TORCH,
    ) -> None:
        check_settings(dtype, memory)
        single_threads_after_fork()
        self.card, self.process = card, os.getpid()
        self.engine = None if engine == TORCH else Engine(engine, dtype, memory)
        if self.engine is not None:
            self.engine.check_use(network, device, compile)
            device, dtype = "cpu", torch.float32  # of what goes into the engine
        self.device = pick_device(device)
        self.dtype = dtype or fast_dtype(self.device)
        # A copy: the caller's own network stays as it is.
        network = deepcopy(network).to(self.device, self.dtype, memory_format=LAYOUT).eval()  # type: ignore[call-overload]
        self.memory = working_memory(self.device) if memory is None else memory
        self.most = total_memory(self.device) if memory is None else float(memory)  # for strips that cannot be narrower
        self.plain, self.bytes_per_pixel = network, bytes_per_pixel(network)
        self._progress: Progress = unseen
        self.compile_after = None if compile is False else PAYS_AFTER if compile == "auto" else 0
        self.network = self._applicable(network)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What a pickle is loaded as belongs to the process that loads it."""
        self.__dict__.update(state, process=os.getpid())

    @classmethod
    def load(
        cls,
        style: str | os.PathLike[str],
        device: str | torch.device = "auto",
        dtype: torch.dtype | None = None,
        compile: bool | Literal["auto"] = False,  # noqa: A002
        memory: int | None = None,
        engine: str = TORCH,
    ) -> "Stylizer":
        """A style by its name in `checkpoints/` or by its file.

        Raises `UserError` when there is no such style, no such device, or the file isn't a style file.
        """
        return cls(*load_single_style(style), device, dtype, compile, memory, engine)

    def with_network(self, network: nn.Module, card: Card | None = None) -> "Stylizer":
        """A copy with another network of the same architecture, on the same device and of the same type."""
        other = copy(self)
        other.card, other.process = card or self.card, self.process
        other.plain, other.network = network, self._applicable(network)
        return other

    def separate(self) -> "Stylizer":
        return self.with_network(deepcopy(self.plain))

    def _applicable(self, network: nn.Module) -> nn.Module:
        """The network as it is applied to whole images: by an engine, compiled, or as it is."""
        if self.engine is not None and isinstance(network, StyleNetwork):
            return EngineNetwork(network, self.engine, self.bytes_per_pixel)
        return network if self.compile_after is None else Compiled(network, self.compile_after)

    @property
    def networks(self) -> list[nn.Module]:
        return [self.network]

    def check(self) -> None:
        if self._is_gpu() and os.getpid() != self.process:  # no GPU survives a fork
            raise UserError(f"a Stylizer on {self.device} cannot be used after a fork: load it there, or use spawn")

    def paint(self, pixels: Tensor, stroke: float = 1.0) -> Tensor:
        if stroke == 1:
            return self._forward(pixels)
        photos = self._photos(pixels)
        small = scale_down(photos, stroke, getattr(self.plain, "minimum_side", 1))
        return back_at_full_size(self._forward(small), small, photos)

    def watch(self, progress: Progress) -> None:
        self._progress = progress

    def _stylize_image(self, image: Image.Image, brush: Brush, mask: Mask | None) -> Image.Image:
        if brush != PLAIN or mask is not None or self._takes_whole(image.width * image.height):
            return super()._stylize_image(image, brush, mask)
        # From Pillow's memory to Pillow's memory: an array of the whole would be there beside it, and its copy.
        result = Image.new("RGB", image.size)
        found = extremes(torch.tensor(image.getextrema(), dtype=torch.uint8)[None, :, None])

        def read(first: int, end: int) -> Float[Tensor, "1 3 n w"]:
            rows = np.array(image.crop((0, first, image.width, end)))
            return replace_uniform_images(self._prepared(torch.from_numpy(rows).movedim(-1, 0)[None]), found)

        def write(first: int, rows: Float[Tensor, "1 3 n w"]) -> None:
            result.paste(to_image(rows[0]), (0, first))

        self._in_strips(read, write, image.height, image.width)
        return result

    def _forward(self, pixels: Tensor) -> Tensor:
        if not self._takes_whole(pixels[:, 0].numel()):
            return self._each_in_strips(pixels)
        try:
            with torch.inference_mode(), self._memory_errors(*pixels.shape[-2:]):
                pixels = pixels.to(self.device)
                # Of the pixels as given: rounded to half precision, small differences grow beyond what can be seen.
                photos = replace_uniform_images(self._prepared(pixels), extremes(pixels))
                stylized: Tensor = self.network(photos).float()
        except NoMemoryError:
            if not self._is_gpu():
                raise
            self._halve_memory(pixels[:, 0].numel())
            return self._each_in_strips(pixels)
        return stylized

    def _halve_memory(self, pixels: int) -> None:
        """Limits the memory after images of so many pixels did not fit into a GPU."""
        self.memory = int(min(self.memory, pixels * self.bytes_per_pixel) / 2)
        log.warning("not enough memory on %s: images of this size are processed in strips, more slowly", self.device)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _each_in_strips(self, photos: Tensor) -> Tensor:
        """The network's images, made strip by strip, on the same device and of the same type.

        Whole numbers stay such: as floats, an image of this size would take four times the memory.
        """
        result = torch.empty_like(photos)

        def stylize(photo: Tensor, target: Tensor) -> None:
            found = extremes(photo[None])

            def read(first: int, end: int) -> Float[Tensor, "1 3 n w"]:
                return replace_uniform_images(self._prepared(photo[None, :, first:end]), found)

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
            Strips(self.plain, read, height, width, self.memory, self.most).stylize(write, self._progress)

    def _prepared(self, pixels: Tensor) -> Float[Tensor, "b 3 h w"]:
        """The pixels as the network takes them."""
        photos = pixels.to(self.device)
        photos = photos.float() / 255 if photos.dtype == torch.uint8 else photos
        return photos.to(self.dtype, memory_format=LAYOUT)

    def _takes_whole(self, pixels: int) -> bool:
        """Whether images of so many pixels together have room, and go into one GPU kernel. An engine has no strips."""
        if self.engine is not None:
            return True
        fits = pixels * self.bytes_per_pixel <= self.memory
        # At most half of what is counted at the widest convolution is one tensor.
        numbers = pixels * self.bytes_per_pixel / WHOLE / self.dtype.itemsize / 2
        return fits and (numbers < MAXIMUM_NUMBERS or not self._is_gpu())

    def _is_gpu(self) -> bool:
        return self.device.type != "cpu"

    def _memory_errors(self, height: int, width: int) -> AbstractContextManager[None]:
        return memory_errors(f"not enough memory on {self.device} for {width} x {height} pixels")
