"""A network that another runtime applies on the CPU, behind the interface of a network of PyTorch."""

import os
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.device import bf16_is_faster, total_memory
from stylenet.engines.graph import network_graph
from stylenet.engines.runtimes import RUNTIMES, Run
from stylenet.engines.settings import OPENVINO, check_engine
from stylenet.errors import UserError
from stylenet.models.network import StyleNetwork, check_sides

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Engine:
    """An engine by its name, the precision that it computes in, and the bytes that an image may take in it.

    Images are processed whole. By default: bf16 where the engine can and that is faster here, else fp32; all of the
    machine's memory. Raises `UserError` for an engine that is unknown or not installed, and for other precisions.
    """

    name: str
    dtype: torch.dtype | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        check_engine(self.name)
        there = [torch.float32, *([torch.bfloat16] if self.name == OPENVINO else [])]
        if self.dtype not in (None, *there):
            names = " or ".join(map(str, there))
            raise UserError(f"the engine {self.name} computes in {names}, got {self.dtype}")

    @property
    def precision(self) -> torch.dtype:
        fast = torch.bfloat16 if self.name == OPENVINO and bf16_is_faster("cpu") else torch.float32
        return self.dtype or fast

    def check_use(self, network: nn.Module, device: str | torch.device, compile: bool | str) -> None:  # noqa: A002
        """Raises `UserError` for what only PyTorch has."""
        if str(device) not in ("auto", "cpu"):
            raise UserError(f"the engine {self.name} runs on the CPU, not on {device}")
        if compile:
            raise UserError(f"the engine {self.name} compiles nothing: compile must be False")
        if not isinstance(network, StyleNetwork):
            raise UserError(f"the engine {self.name} takes networks of style files, got {type(network).__name__}")

    def check_memory(self, height: int, width: int, bytes_per_pixel: float) -> None:
        """Raises `UserError` for an image that would take more memory than it may, or than there is."""
        limit = total_memory(CPU) if self.memory is None else self.memory
        wanted = height * width * bytes_per_pixel
        if wanted > limit:
            sizes = f"takes about {wanted / 1e9:.3g} GB, and {limit / 1e9:.3g} GB are there"
            raise self.too_large(height, width, sizes)

    def too_large(self, height: int, width: int, reason: str) -> UserError:
        way_out = "the engine torch processes it in strips"
        return UserError(f"{width} x {height} pixels are too many for the engine {self.name}: {reason}; {way_out}")


class EngineNetwork(nn.Module):
    """Applies the graph of `network` by an engine, with as many threads as PyTorch has; images one after the other.

    `bytes_per_pixel` is what PyTorch would take for a whole image in fp32, which the engines hardly exceed. With the
    first image the graph is exported if it is not in the cache, which takes seconds. Can be pickled, and shared by
    threads.
    """

    def __init__(self, network: StyleNetwork, engine: Engine, bytes_per_pixel: float) -> None:
        super().__init__()
        self.engine, self.network, self.minimum_side = engine, network, network.minimum_side
        self.bytes_per_pixel = bytes_per_pixel * engine.precision.itemsize / torch.float32.itemsize
        self._loaded: dict[int, Run] = {}  # by the number of the process
        self._lock = Lock()

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Raises `UserError` for photos that are too small, or too large for the memory."""
        height, width = photos.shape[-2:]
        check_sides(self, height, width)
        self.engine.check_memory(height, width, self.bytes_per_pixel)
        pixels = photos.float().contiguous().numpy()
        return torch.from_numpy(np.concatenate([self._applied(photo[None]) for photo in pixels]))

    def _applied(self, photo: Float[np.ndarray, "1 3 h w"]) -> Float[np.ndarray, "1 3 h w"]:
        try:
            return self.run(photo)
        except Exception as error:  # the engines' own errors have no common base
            if not isinstance(error, MemoryError) and "alloc" not in str(error) and "memory" not in str(error):
                raise
            height, width = photo.shape[-2:]
            raise self.engine.too_large(height, width, "not enough memory") from error

    @property
    def run(self) -> Run:
        """The engine with its threads, loaded once in each process, as a fork has none of them.

        Raises `UserError` where OpenVINO was used before a fork, which it does not survive.
        """
        with self._lock:
            if (process := os.getpid()) not in self._loaded:
                if self._loaded and self.engine.name == OPENVINO:
                    raise UserError("a Stylizer with openvino cannot be used after a fork: load it there, or use spawn")
                # The one of before the fork is kept, as its end would wait for its threads.
                self._loaded[process] = RUNTIMES[self.engine.name](network_graph(self.network), self.engine.precision)
            return self._loaded[process]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_loaded", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _loaded={}, _lock=Lock())
