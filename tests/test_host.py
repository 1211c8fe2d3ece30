"""How many cores and how much memory there are to use."""

import math
import os
from pathlib import Path

import pytest

from stylenet import host


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, math.inf),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "nonsense"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "50000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
    ],
)
def test_a_quota_is_read_from_either_version(tmp_path: Path, files: dict[str, str], expected: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert host.quota(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [(0.5, 1), (1.5, 2), (8.0, 3), (math.inf, 3)])
def test_the_smaller_of_cores_and_quota_counts(monkeypatch: pytest.MonkeyPatch, quota: float, expected: int) -> None:
    monkeypatch.setattr(host, "quota", lambda _: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert host.usable_cores() == expected


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, math.inf),
        ({"memory.max": "max\n"}, math.inf),
        ({"memory.max": "1000\n"}, 1000),
        ({"memory/memory.limit_in_bytes": "2000\n"}, 2000),
    ],
)
def test_a_containers_memory_counts_where_it_is_less(tmp_path: Path, files: dict[str, str], most: float) -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert host.usable_memory(tmp_path) == min(machine, most)
