"""What a run logs of its progress."""

import logging
import time
from types import SimpleNamespace
from typing import cast

import pytest
import pytorch_lightning as pl

from stylenet.training.callbacks.progress import LINE_SECONDS, Progress


def test_without_a_terminal_a_run_logs_a_line_for_each_tenth(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(batch=1)
    trainer = SimpleNamespace(global_step=0, max_steps=40)
    progress.began = progress.told = time.perf_counter()
    progress.first = progress.step = 0
    with caplog.at_level(logging.INFO):
        for step in range(1, 41):
            trainer.global_step = step
            progress.tell(cast(pl.Trainer, trainer), "5.0 images/s")
            progress.step = step
        progress.told -= LINE_SECONDS  # a slow run: a line although no tenth has passed
        progress.step = trainer.global_step = 41
        progress.tell(cast(pl.Trainer, trainer), "0.1 images/s")
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(",")[0] for line in lines] == [f"step {step} of 40" for step in (*range(4, 41, 4), 41)]
    assert all(line.endswith("images/s") and "min left" in line for line in lines)
