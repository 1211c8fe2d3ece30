"""What a run logs of its progress."""

import logging
import time

import pytest

from stylenet.training.callbacks.progress import LINE_SECONDS, Progress


def test_without_a_terminal_a_run_logs_a_line_for_each_tenth(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    progress.began = progress.line_at = time.perf_counter()
    progress.first = progress.shown = 0
    with caplog.at_level(logging.INFO):
        for step in range(1, 41):
            progress.log_line(step, 40, "5.0 images/s")
            progress.shown = step
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(",")[0] for line in lines] == [f"step {step} of 40" for step in range(4, 41, 4)]
    assert all(line.endswith("min left, 5.0 images/s") for line in lines)


def test_a_slow_run_logs_a_line_at_least_every_three_minutes(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    progress.began = progress.line_at = time.perf_counter() - LINE_SECONDS
    progress.first, progress.shown = 0, 100
    with caplog.at_level(logging.INFO):
        progress.log_line(101, 100_000, "0.6 images/s")
        progress.log_line(102, 100_000, "0.6 images/s")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("step 101 of 100000, ")
