"""Chooses the device, and whether bf16 is faster on it."""

import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from stylenet.errors import UserError
from stylenet.host import usable_memory

MAXIMUM_WORKING_MEMORY = 1 << 30  # bytes, unless the device is a GPU
OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "create a memory")  # of torch's errors
# Names of oneDNN's instruction sets that have bf16 units; without them it emulates bf16 at half of fp32's speed.
ISA_WITH_BF16 = ("BF16", "FP16", "AMX", "AVX10", "ALL", "DEFAULT")


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """The best device there is for `auto`, else the named one, as torch names devices: `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises `UserError` when it is not there.
    """
    there = available_devices()
    if name == "auto":
        return torch.device(there[-1].partition(":")[0])
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is not None and device.type == "cpu":
        return torch.device("cpu")
    if device is None or (str(device) not in there and f"{device.type}:{device.index or 0}" not in there):
        raise UserError(f"there is no device '{name}'; this machine has: {', '.join(there)}")
    return device


def available_devices() -> list[str]:
    """Torch's names of the devices here, the best kind last."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *(["mps:0"] if torch.backends.mps.is_available() else []), *gpus]


@cache
def bf16_is_faster(device_type: str) -> bool:
    """Whether convolutions in bf16 are faster than in fp32 here: on GPUs and CPUs with units for it.

    Decided by what the machine says of itself, so that equal runs decide equally, however loaded it is.
    """
    if device_type != "cpu":
        return device_type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return (cpu_has("amx_tile") or cpu_has("avx512_bf16")) and onednn_uses_bf16_units()


def fast_dtype(device: torch.device) -> torch.dtype:
    """The type to apply networks in: fp16 on a GPU, bf16 on a CPU with units for it, else fp32."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if bf16_is_faster("cpu") else torch.float32


def working_memory(device: torch.device) -> int:
    """Bytes that one image may take: a quarter of a GPU's memory; of the machine's, or container's, at most 1 GiB.

    By what there is and not by what is free, so that equal calls give equal images.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 4
    return int(min(MAXIMUM_WORKING_MEMORY, usable_memory() / 4))


def total_memory(device: torch.device) -> float:
    """Bytes that the device has at all, free or not; infinite where the system does not say."""
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    return usable_memory()


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on the device. The host does not wait for its way to a GPU, which pinned memory allows."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """A generator whose numbers are drawn on the device, where they are used: a copy would make a GPU wait.

    A GPU's generator gives other numbers than a CPU's.
    """
    return torch.Generator(device).manual_seed(seed)


def device_name(device: torch.device | None = None) -> str:
    """The device in words: a GPU, or the processor and its threads. The best one there is if none is given."""
    device = device or pick_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if device.type == "mps":
        return f"GPU of {platform.processor() or platform.machine()}"
    units = " with AMX" if cpu_has("amx_tile") else ""
    threads = torch.get_num_threads()
    return f"{names[0] if names else platform.machine()}{units}, {threads} thread{'s' * (threads > 1)}"


def cpu_has(units: str) -> bool:
    """The result of torch's own check; that is not public, so a torch without it counts as a CPU without them."""
    return bool(getattr(torch.cpu, f"_is_{units}_supported", bool)())


def onednn_uses_bf16_units() -> bool:
    """Whether the library behind torch's convolutions may use them: its own setting can forbid it."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"
    return any(units in limit.upper() for units in ISA_WITH_BF16)


def peak_memory(device: torch.device) -> float:
    """Peak memory of the GPU, or else of this process, in GiB; NaN on Windows, where it is unavailable."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    if sys.platform == "win32":
        return math.nan
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


class NoMemoryError(UserError):
    """An image, or a run, that does not fit into the device's memory."""


@contextmanager
def memory_errors(message: str) -> Iterator[None]:
    """Makes one line of a device, or a machine, without enough memory. Raises `NoMemoryError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
            raise
        raise NoMemoryError(message) from error
