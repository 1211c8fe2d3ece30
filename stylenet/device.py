"""Which device to use, and whether bf16 pays on it."""

import time
from functools import cache

import torch
import torch.nn.functional as F

from stylenet.errors import UserError

DEVICES = ("auto", "cpu", "cuda", "mps")
# A CPU without bf16 units emulates them, at about half of fp32's speed; with them it gains 1.7 and more.
BF16_GAIN = 1.2


def pick_device(name: str = "auto") -> torch.device:
    """The best device there is for `auto`, else the named one. Raises `UserError` when it is not there."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, there in present.items() if there)
    if not present.get(name, False):
        there = ", ".join(device for device, is_there in present.items() if is_there)
        raise UserError(f"device {name} is not there; this machine has: {there}")
    return torch.device(name)


@cache
def bf16_pays(device_type: str) -> bool:
    """Whether convolutions in bf16 are faster than in fp32 here: known for GPUs, measured in 0.1 s on a CPU."""
    if device_type != "cpu":
        return device_type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    has_units = cpu_has("amx_tile") or cpu_has("avx512_bf16")
    return has_units and _convolution_seconds(torch.float32) > BF16_GAIN * _convolution_seconds(torch.bfloat16)


def cpu_has(units: str) -> bool:
    """What torch's own check says; it is not public, so a torch without it counts as a CPU without them."""
    return bool(getattr(torch.cpu, f"_is_{units}_supported", bool)())


@torch.inference_mode()
def _convolution_seconds(dtype: torch.dtype, repeats: int = 20) -> float:
    """The shortest of many tries: other work on the machine only ever lengthens one."""
    x, weight = torch.ones(1, 64, 64, 64, dtype=dtype), torch.ones(64, 64, 3, 3, dtype=dtype)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        F.conv2d(x, weight, padding=1)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
