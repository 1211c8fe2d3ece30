"""The campaigns of `tools/campaigns`: that they notice what they look for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from infer_command import ROOT

CAMPAIGNS = ROOT / "tools" / "campaigns"


def misbehave(number: int) -> str:
    """What the inputs 3 to 6 do."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        time.sleep(600)
    if number == 5:
        raise KeyError("five")
    if number == 6:
        bytearray(1 << 33)
    return "fine"


def test_a_crash_a_hang_and_an_exception_are_counted_and_the_rest_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CAMPAIGNS))
    from workers import survey

    result = survey(misbehave, range(10), seconds=0.3, memory=1 << 30)
    assert result.counts == {"fine": 6, "crash": 1, "hang": 1, "wrong": 2}
    faults = [(number, what.partition(":")[0]) for number, what in result.faults]
    assert faults == [(3, "crash, status 9"), (4, "hang"), (5, "wrong KeyError"), (6, "wrong MemoryError")]


def test_the_same_seed_gives_the_same_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CAMPAIGNS))
    from mutations import mutated

    stock = [bytes(range(256)), b"P6 3 2 255\n" + bytes(18)]
    inputs = [mutated(stock, 1, number) for number in range(200)]
    assert inputs == [mutated(stock, 1, number) for number in range(200)]
    assert len({*inputs, *stock}) > 190
    assert inputs != [mutated(stock, 2, number) for number in range(200)]


def test_a_small_campaign_goes_without_a_fault(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(CAMPAIGNS / "fuzz.py"), "command", "--inputs", "60"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "command, seed 0, from 0: 60 inputs: 0 crash, 0 hang, " in done.stdout
    assert list(tmp_path.iterdir()) == []
