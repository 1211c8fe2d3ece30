"""Profiles a training step of the plain loop and of ours: `python benchmarks/profiling.py [BATCH [CROP]]`."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from measuring import machine
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile
from training import DEVICE, PlainLoop, our_step, random_vgg16

STEPS = 3
KINDS = {  # parts of the names of PyTorch's operators, in the order in which they are looked for
    "convolutions": ("convolution", "conv2d"),
    "norms": ("norm",),
    "Gram matrices": ("mm", "dot"),
    "copies and casts": ("copy", "_to_", "contiguous", "clone", "fill", "zero"),
    "padding, pooling, enlarging": ("pad", "pool", "upsample"),
    "optimizer": ("adam", "lerp", "addcdiv", "addcmul", "sqrt"),
}


def kind_of(operator: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in operator for part in parts)), "the rest")


def profiled(step: Callable[[], None]) -> Counter[str]:
    """Milliseconds a step by kind of operator, without what an operator waits for others that it calls."""
    step()
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if DEVICE.type == "cuda" else [])
    with profile(activities=activities) as profiler:
        for _ in range(STEPS):
            step()
    return by_kind(profiler.key_averages(), DEVICE.type == "cuda")


def by_kind(events: Iterable[Any], on_gpu: bool) -> Counter[str]:
    """Milliseconds a step. On a GPU the kernels' time is that of the operators that start them, and counted there."""
    found: Counter[str] = Counter()
    for event in (event for event in events if event.device_type == DeviceType.CPU):
        microseconds = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        found[kind_of(event.key.lower())] += microseconds / 1000 / STEPS
    return found


def main() -> None:
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    batch, crop = [int(text) for text in sys.argv[1:]] + [4, 256][len(sys.argv) - 1 :]
    torch.manual_seed(0)
    weights, painting = random_vgg16(), torch.rand(1, 3, 384, 480)
    before = profiled(PlainLoop(weights, painting, batch, crop).step)
    after = profiled(our_step(weights, painting, batch, crop))
    print(f"{machine()}\n\n| ms a step, batch {batch}, {crop} px | plain | stylenet |\n|---|---|---|")
    for kind in [*KINDS, "the rest"]:
        print(f"| {kind} | {before[kind]:.0f} | {after[kind]:.0f} |")
    print(f"| whole | {before.total():.0f} | {after.total():.0f} |")


if __name__ == "__main__":
    main()
