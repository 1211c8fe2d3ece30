"""What many tests need: a loss network of VGG19's layers with a few random channels, `infer.py` and `train.py`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: files of tests run side by side, a process per core

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch
import torch.nn.functional as F
from fake_cuda import drawn, fake  # noqa: F401, fixtures
from infer_command import ROOT, Done, Run, picture
from made_up_vgg import tiny_weights
from safetensors.torch import save_file

from stylenet.cli.main import run_command
from stylenet.losses.vgg.conventions import NORMALIZED, reference_picture
from stylenet.losses.vgg.features import VGGFeatures
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize


@pytest.fixture(scope="module")
def without_type_checks() -> Iterator[None]:
    """The exporter passes symbols for sizes, which the checks of shapes and types under pytest refuse."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def tiny_vgg() -> VGGFeatures:
    return VGGFeatures(tiny_weights())


def write_tiny_vgg(path: Path) -> None:
    """A weights file that passes for a normalized VGG19, eight channels wide, as deep as the default losses need."""
    generator = torch.Generator().manual_seed(0)
    x = reference_picture() - torch.tensor(NORMALIZED.mean).view(1, 3, 1, 1)
    state = {}
    for position in (0, 2, 5, 7, 10, 12, 14, 16, 19):  # conv1_1 to conv4_1
        x = F.max_pool2d(x, 2) if position in (5, 10, 19) else x
        weight = torch.randn(8, x.shape[1], 3, 3, generator=generator)
        weight /= F.conv2d(x, weight, padding=1).relu().mean((0, 2, 3)).view(-1, 1, 1, 1)
        state |= {f"features.{position}.weight": weight, f"features.{position}.bias": torch.zeros(8)}
        x = F.conv2d(x, weight, padding=1).relu()
    save_file(state, path)


@pytest.fixture(scope="session")
def tiny_vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "tiny vgg (1).safetensors"
    write_tiny_vgg(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one style and one picture."""
    settings = NetworkSettings(width=2, blocks=1)
    facts = {"painting": {"title": "The Night", "artist": "A. Painter"}}
    network = initialize(TransformerNet(settings), seed=0)
    save_style(tmp_path / "checkpoints/night.safetensors", network, Card("../../night", settings, facts))
    picture(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """The script in a process of its own, as a user starts it."""

    def infer(*arguments: str) -> Done:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "infer.py"), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, env=environment)
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()

    return infer


@pytest.fixture
def call(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same within this process, which spares the two seconds that torch's import takes."""

    def infer(*arguments: str) -> Done:
        code = run_command("infer", arguments, "infer.py")
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return infer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`train.py` in this process and in `tmp_path`, which saves the five seconds of its imports."""

    def trained_here(*arguments: str) -> int:
        monkeypatch.chdir(tmp_path)
        return run_command("train", arguments, "train.py")

    return trained_here
