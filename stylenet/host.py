"""How many CPU cores and how much memory this process may use."""

import math
import os
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")  # a container's own, where it is one


def usable_cores() -> int:
    """The cores that this process may run on, or as many as a container's CPU quota pays for; at least 1."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(there, quota(CGROUPS))))


def usable_memory(cgroups: Path = CGROUPS) -> float:
    """Bytes of the machine's memory, or of the container's where that is less; infinite where neither is known."""
    limits = [math.inf]
    if hasattr(os, "sysconf"):  # Windows has none
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in ("memory.max", "memory/memory.limit_in_bytes"):  # of cgroup v2 and v1
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int((cgroups / file).read_text()))
    return float(min(limits))


def quota(cgroups: Path) -> float:
    """A container's CPU quota in cores, of cgroup v2 or v1; infinite without any."""
    for files in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):
        try:
            limit, period = " ".join((cgroups / file).read_text() for file in files).split()
            return math.inf if limit in ("max", "-1") else int(limit) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return math.inf
