"""`--help` and wrong options are answered before anything large is imported."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from stylenet.cli.main import COMMANDS
from stylenet.cli.train_compose import composed_settings
from stylenet.cli.train_help import default_settings, help_text
from stylenet.training.settings import MISSING

ROOT = Path(__file__).parents[2]
SMALL = {"numpy", "PIL", "safetensors", "hydra", "omegaconf", "pydantic", "huggingface_hub"}
LARGE = {"torch", "torchvision", "pytorch_lightning", "lightning_fabric", "datasets", "wandb", "ray", "fastapi", "av"}
WRONG = [
    ["infer", "photo.jpg", "-s", "no-such-style"],
    ["infer", "photo.jpg", "-s", "starry", "--strength", "9"],
    ["infer", "photo.jpg", "-s", "starry:0"],
    ["infer", "photo.jpg", "-s", "starry", "-o", "out.xyz"],
    ["infer", "photo.jpg", "-s", "starry", "--steady", "-1"],
    ["infer", "clip.mp4", "-s", "starry", "--start", "soon"],
    ["infer", "photo.jpg", "-s", "starry", "--codec", "h264"],
    ["evaluate", "starry", "--size", "1"],
    ["optimize", "no-photo.jpg", "configs/style/wave.jpg"],
    ["optimize", "train.py", "configs/style/wave.jpg", "-o", "result.xyz"],
    ["convert", "no-such-file.pth"],
    ["export", "no-such-style"],
    ["export", "starry", "-o", "starry.txt"],
    ["web", "page", "-s", "no-such-style"],
    ["hub", "push", "no-such-style", "user/repo", "--license", "mit"],
    ["hub", "pull", "hf:user"],
    ["serve", "--port", "high"],
    ["cluster", "in", "out", "-s", "no-such-style"],
    ["cluster", "in", "out", "-s", "starry", "--strength", "9"],
    ["release", "--gatys", "-1"],
]


def imported_after(*commands: Sequence[str], code: int) -> set[str]:
    """The modules that a new process has imported after these commands, each of which ends with the exit code."""
    script = f"""
import sys
from stylenet.cli.main import main
for command in {[list(command) for command in commands]!r}:
    assert main(command) == {code}, command
print("MODULES", *sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return set(done.stdout.partition("MODULES ")[2].split())


def test_no_command_imports_anything_large_for_its_help() -> None:
    assert not imported_after(*([name, "--help"] for name in COMMANDS), code=0) & (SMALL | LARGE)


def test_wrong_options_are_answered_without_torch() -> None:
    assert not imported_after(*WRONG, code=1) & (LARGE | SMALL)


@pytest.mark.parametrize("setting", ["batch=0", "crop=8", "minutes=-1", "style.image=missing.jpg", "bach=1"])
def test_a_wrong_setting_of_a_run_is_answered_without_torch(setting: str) -> None:
    assert not imported_after(["train", "style=starry", setting], code=1) & LARGE


def test_the_help_of_train_shows_the_settings_that_hydra_composes() -> None:
    composed = composed_settings(["style.image=painting.jpg", "budget=cpu"])
    composed["style"]["image"] = MISSING
    assert default_settings() == composed


def test_the_help_of_train_lists_the_presets() -> None:
    lines = help_text().splitlines()
    assert "network: conditional, dilated, full, small, tiny" in lines
    assert "budget: cpu, gpu" in lines


def test_the_help_of_train_explains_the_settings_and_leaves_classes_out() -> None:
    lines = help_text().splitlines()
    assert any(re.fullmatch(r"  style_tile: \d+ +side in pixels of the tiles .*", line) for line in lines)
    assert any(re.fullmatch(r"  image: \(required\) +the painting's file", line) for line in lines)
    assert not [line for line in lines if "_target_" in line]
    assert max(map(len, lines)) <= 140
