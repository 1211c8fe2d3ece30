"""Training on two devices, here two processes of one CPU: as one process would with the whole batch."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from runs import ROOT, SMALL

from stylenet.models.style_file import read_card

TERMS = ("loss/content", "loss/style", "loss/tv", "loss/stability", "loss/total")
STEPS = ("steps=4", "batch=4", "learning_rate=1e-4", "trainer.precision=32-true", "loss.calm_weight=1")


def trained(folder: Path, *arguments: str) -> list[list[float]]:
    """The losses of each step. Nothing may be left of a second process but what it learned."""
    folder.mkdir()
    command = [sys.executable, str(ROOT / "train.py"), "style=wave", *SMALL, *STEPS, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("infer.py PHOTO") == 1
    (run,) = (folder / "outputs" / "wave").iterdir()
    assert read_card(run / "wave.safetensors").facts["training"]["steps"] == 4
    rows = csv.DictReader((run / "metrics.csv").open())
    return [[float(row[term]) for term in TERMS] for row in rows if row["loss/total"]]


def test_two_processes_learn_as_one(tmp_path: Path, tiny_vgg_file: Path) -> None:
    weights = f"loss_network.weights={tiny_vgg_file}"
    alone = trained(tmp_path / "one", weights)
    together = trained(tmp_path / "two", weights, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    assert len(alone) == 4
    for one, two in zip(alone, together, strict=True):
        assert two == pytest.approx(one, rel=1e-4)
