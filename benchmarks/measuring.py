"""Shared by the benchmarks: a description of the machine, its matrix rates, and timing of two functions in turn."""

import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from statistics import median

import torch

from stylenet.device import device_name, pick_device


def machine() -> str:
    """Processor or GPU, and versions."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{device_name()}; {versions}, Lightning {version('pytorch-lightning')}"


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(work: Callable[[], object]) -> float:
    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


def matrix_rate(dtype: torch.dtype) -> float:
    """Floating point operations per second in a product of two square matrices, the best of five."""
    side = 8192 if torch.cuda.is_available() else 2048  # on a GPU, small products measure the launch
    x = torch.randn(side, side, device=pick_device()).to(dtype)
    return 2 * side**3 / min(seconds(lambda: x @ x) for _ in range(5))


def in_turn(works: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Seconds of each function, measured in turn (A B A B …), so that other load affects both alike."""
    for _ in range(warm_up):
        for work in works.values():
            work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def row(name: str, times: list[float], baseline: list[float], unit: float, flops: float | None, rate: float) -> str:
    """A line of the table: median and spread in milliseconds per `unit`, ratio to the baseline, share of `rate`."""
    middle = median(times)
    per = [1000 * value / unit for value in (middle, min(times), max(times))]
    ratio = median(b / a for a, b in zip(times, baseline, strict=True))
    share = "–" if flops is None else f"{100 * flops / middle / rate:.0f} %"
    return f"| {name} | {per[0]:.1f} | {per[1]:.1f}-{per[2]:.1f} | {ratio:.2f} | {share} |"
