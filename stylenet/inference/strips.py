"""Pictures of any size: a network applied to strips of whole rows, in bounded memory, equal to the network itself."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylenet.errors import UserError
from stylenet.inference.passes import Features, Plan, Strip
from stylenet.inference.spill import Shelf
from stylenet.models.transformer_net import STRIDE, TransformerNet, check_sides

Reader: TypeAlias = Callable[[int, int], Float[Tensor, "b 3 n w"]]
Writer: TypeAlias = Callable[[int, Float[Tensor, "b 3 n w"]], None]
Progress: TypeAlias = Callable[[int, int], None]  # rows done, of how many
# At the widest convolution: its input, the same with a border, and its output. For tensors above 32 MiB malloc asks the
# system anew each time, which took a tenth of the time more; of smaller strips, the work around them is more.
STRIP_BYTES = 32_000_000  # on a CPU
# Measured memory over that at the widest convolution, as other layers hold something too.
WHOLE, STRIPS = 1.5, 4


def unseen(done: int, of: int) -> None:
    """Progress that nobody looks at."""


def bytes_per_pixel(network: TransformerNet) -> float:
    """About the memory that it takes to apply the network to a picture as a whole, for each pixel."""
    return WHOLE * _limits(network)[0]


class Strips:
    """The way of a picture through a network, strip by strip.

    `read(first, end)` gives rows of the picture in [0, 1], on the network's device and of its type; each row is asked
    for more than once. About `memory` bytes are used at most: what has no room waits in a temporary file. Raises
    `UserError` when not even a few rows have room.
    """

    def __init__(self, network: TransformerNet, read: Reader, height: int, width: int, memory: int) -> None:
        check_sides(height, width)
        self.read, self.height, self.width = read, height, width
        widest, least = _limits(network)
        device = next(network.parameters()).device
        room = memory / STRIPS / 2  # and the other half for what waits
        room = min(room, STRIP_BYTES) if device.type == "cpu" else room
        rows = max(least, int(room / (widest * width)))
        strips = round(STRIPS * rows * widest * width)
        if strips > memory:
            limit = f"{memory / 1e6:.1f} MB are allowed"
            raise UserError(f"strips of a picture {width} px wide take {strips / 1e6:.1f} MB of memory, and {limit}")
        self.edges = _edges(height, rows, least)
        self.shelf = Shelf(memory - strips, device)
        self.plan = Plan(network.layers, Features(self._padded, channels=3), self.shelf)

    @torch.inference_mode()
    def stylize(self, write: Writer, progress: Progress = unseen) -> None:
        """Hands the stylized picture over: `write(first, rows)`, from top to bottom.

        Raises `UserError` when the disk is full.
        """
        total = self.height * sum(step.features.work for step in self.plan.passes)
        done = 0.0
        with closing(self.shelf):
            for step in self.plan.passes:
                for (first, end), strip in zip(pairwise(self.edges), step.run(), strict=True):
                    if step is self.plan.passes[-1]:
                        write(first, strip[:, :, : self.height - first, : self.width])
                    done += (min(end, self.height) - first) * step.features.work
                    progress(round(self.height * done / total), self.height)

    def _padded(self, last: bool) -> Iterator[Strip]:
        """The picture as the network pads it, to whole strides on the right and at the bottom."""
        for first, end in pairwise(self.edges):
            bottom = max(0, end - self.height)
            yield F.pad(self.read(first, end - bottom), (0, -self.width % STRIDE, 0, bottom), mode="reflect")


def _limits(network: TransformerNet) -> tuple[float, int]:
    """Bytes for each pixel of a picture at the widest convolution; and the fewest rows that a strip may have."""
    plan = Plan(network.layers, Features(lambda last: iter(()), channels=3), Shelf(0, torch.device("cpu")))
    return plan.widest * next(network.parameters()).element_size(), plan.least


def _edges(height: int, rows: int, least: int) -> list[int]:
    """Where strips begin and end: of `rows` at most, unless that is below `least`; as equal as whole strides allow."""
    strides = -(-height // STRIDE)
    count = max(1, min(-(-height // rows), strides * STRIDE // least))
    return [STRIDE * round(strides * index / count) for index in range(count + 1)]
