"""Images of any size: a network applied to strips of whole rows, in bounded memory, equal to the network itself.

A network with layers that `stylenet.inference.passes` cannot cut is applied to the whole image.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from typing import TypeAlias
from weakref import WeakSet

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.device import total_memory
from stylenet.errors import UserError
from stylenet.inference.passes import Features, Plan, Strip, UncuttableError
from stylenet.inference.spill import SpillBuffer
from stylenet.models.layers import pad_by_reflection
from stylenet.models.network import StyleNetwork, check_sides

log = logging.getLogger(__name__)
_said: WeakSet[nn.Module] = WeakSet()  # the networks of which it was said that they cannot be cut

Reader: TypeAlias = Callable[[int, int], Float[Tensor, "b 3 n w"]]
Writer: TypeAlias = Callable[[int, Float[Tensor, "b 3 n w"]], None]
Progress: TypeAlias = Callable[[int, int], None]  # rows done, of how many
# At the widest convolution: its input, the same with a border, and its output. For tensors above 32 MiB malloc asks the
# system each time, which took a tenth of the time more; of smaller strips, the work around them is more.
STRIP_BYTES = 32_000_000  # on a CPU
# Measured memory over that at the widest convolution, as other layers hold something too.
WHOLE, STRIPS = 1.5, 4
PROBE = 64  # pixels, both sides of the image by which a network that cannot be cut is measured


def unseen(done: int, of: int) -> None:
    """No-op progress callback."""


def bytes_per_pixel(network: nn.Module) -> float:
    """The approximate memory for applying the network to a whole image, in bytes per pixel."""
    limits = _limits(network)
    return WHOLE * (limits[0] if limits else _measured(network))


class Strips:
    """Applies a network to an image strip by strip.

    `read(first, end)` gives rows of the image in [0, 1], on the network's device and of its type; each row is asked
    for more than once. About `memory` bytes are used at most: what has no room waits in a temporary file. Of an image
    so wide that strips of the fewest rows take more, they may take up to `most` bytes, by default `memory`. Raises
    `UserError` beyond. A network that cannot be cut is applied to the whole image instead, which a warning says once;
    `UserError` where the device has not as much memory.
    """

    def __init__(
        self, network: nn.Module, read: Reader, height: int, width: int, memory: int, most: float | None = None
    ) -> None:
        check_sides(network, height, width)
        self.network, self.read, self.height, self.width = network, read, height, width
        self.plan: Plan | None = None
        device = next(network.parameters()).device
        limits = _limits(network)
        if limits is None or not isinstance(network, StyleNetwork):
            _check_whole(network, height * width, device)
            return
        widest, least = limits
        room = memory / STRIPS / 2  # and the other half for what waits
        room = min(room, STRIP_BYTES) if device.type == "cpu" else room
        rows = max(least, int(room / (widest * width)))
        strips = round(STRIPS * rows * widest * width)
        most = memory if most is None else most
        if strips > most:
            limit = f"{most / 1e6:.1f} MB are allowed"
            raise UserError(f"strips of an image {width} px wide take {strips / 1e6:.1f} MB of memory, and {limit}")
        self.finish = network.finish
        self.left, self.right, self.above, below = network.padding(height, width)
        padded = self.above + height + below
        self.edges = _edges(padded, rows, least, network.stride)
        self.buffer = SpillBuffer(max(0, memory - strips), device)
        self.plan = Plan(network.layers, Features(self._padded, channels=3), self.buffer, network.stride)

    @torch.inference_mode()
    def stylize(self, write: Writer, progress: Progress = unseen) -> None:
        """Hands the stylized image over: `write(first, rows)`, from top to bottom.

        Raises `UserError` when the disk is full.
        """
        if self.plan is None:
            write(0, self.network(self.read(0, self.height)))
            progress(self.height, self.height)
            return
        total = self.height * sum(step.features.work for step in self.plan.passes)
        done = 0.0
        with closing(self.buffer):
            for step in self.plan.passes:
                for (first, end), strip in zip(pairwise(self.edges), step.run(), strict=True):
                    # Of the image, without the rows of the padding.
                    top, bottom = (min(max(row - self.above, 0), self.height) for row in (first, end))
                    if step is self.plan.passes[-1] and top < bottom:
                        rows = strip[:, :, top + self.above - first : bottom + self.above - first]
                        write(top, self.finish(rows[..., self.left : self.left + self.width]))
                    done += (bottom - top) * step.features.work
                    progress(round(self.height * done / total), self.height)

    def _padded(self, last: bool) -> Iterator[Strip]:
        """The image with the network's own padding."""
        for first, end in pairwise(self.edges):
            rows = [_inside(row - self.above, self.height) for row in range(first, end)]
            top = min(rows)
            strip = self.read(top, max(rows) + 1)
            if rows != list(range(top, top + len(rows))):
                strip = strip[:, :, [row - top for row in rows]]
            yield pad_by_reflection(strip, (self.left, self.right, 0, 0))


def _limits(network: nn.Module) -> tuple[float, int] | None:
    """Bytes for each pixel of an image at the widest convolution, and the fewest rows that a strip may have.

    None for a network that cannot be cut.
    """
    if not isinstance(network, StyleNetwork):
        return None
    features, buffer = Features(lambda last: iter(()), channels=3), SpillBuffer(0, torch.device("cpu"))
    try:
        plan = Plan(network.layers, features, buffer, network.stride)
    except UncuttableError:
        return None
    return plan.widest * next(network.parameters()).element_size(), plan.least


@torch.inference_mode()
def _measured(network: nn.Module) -> float:
    """Bytes for each pixel of an image at the layer that takes and gives most, seen when a small image goes through."""
    most = 0

    def look(_: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        nonlocal most
        most = max(most, sum(value.nbytes for value in (*inputs, output) if isinstance(value, Tensor)))

    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(look) for module in leaves]
    try:
        network(torch.zeros(1, 3, PROBE, PROBE).to(next(network.parameters())))
    finally:
        for hook in hooks:
            hook.remove()
    return most / PROBE**2


def _check_whole(network: nn.Module, pixels: int, device: torch.device) -> None:
    """Says once that the network takes more memory than it should. Raises `UserError` where there is not enough."""
    if network not in _said:
        _said.add(network)
        log.warning("this network cannot be applied in strips: large images are processed whole, in more memory")
    wanted, there = pixels * bytes_per_pixel(network), total_memory(device)
    if wanted > there:
        have = f"and this device has {there / 1e9:.1f} GB"
        raise UserError(
            f"this network cannot be applied in strips; the whole image takes {wanted / 1e9:.1f} GB, {have}"
        )


def _inside(row: int, height: int) -> int:
    """The row of an image that stands for one above or below it, by reflection."""
    return height - 1 - abs(height - 1 - abs(row))


def _edges(padded: int, rows: int, least: int, stride: int) -> list[int]:
    """The rows of the padded image at which strips begin and end: of `rows` at most, unless that is below `least`.

    Strips are as equal as whole strides allow. The last one also takes the rows after the last whole stride.
    """
    strides = padded // stride
    count = max(1, min(-(-padded // rows), strides * stride // least))
    return [*(stride * round(strides * index / count) for index in range(count)), padded]
