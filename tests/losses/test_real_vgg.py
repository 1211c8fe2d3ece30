"""The main job with the real VGG19, fetched through the package index: minutes, so only `pytest -m slow` runs it."""

import subprocess
import sys
from pathlib import Path

import pytest
from infer_command import ROOT

from stylenet.models.style_file import read_card

SCRIPT = ROOT / "train.py"


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_short_training_halves_the_held_out_style_loss(tmp_path: Path) -> None:
    short = ["style=starry", "steps=120", "crop=128", "logger.wandb=false"]
    result = subprocess.run([sys.executable, SCRIPT, *short], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    held_out = read_card(tmp_path / "checkpoints" / "starry.safetensors").facts["held_out"]
    assert held_out["style_ratio"] < 0.5
