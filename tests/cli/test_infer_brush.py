"""The brush on the command line, and the scripts that show it."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylenet.cli.main import run_command
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

ROOT = Path(__file__).parents[2]
Call = Callable[..., tuple[int, list[str]]]  # exit code and lines of complaint


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two styles, a photo, and a mask whose right half is white."""
    settings = NetworkSettings(width=2, blocks=1)
    for seed, name in enumerate(("night", "wave")):
        network = initialize(TransformerNet(settings), seed)
        save_style(tmp_path / f"checkpoints/{name}.safetensors", network, Card(name, settings))
    noise = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    Image.fromarray(np.tile(np.repeat([0, 255], 20).astype(np.uint8), (32, 1))).save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def infer(*arguments: str) -> tuple[int, list[str]]:
        code = run_command("infer", ["photo.png", *arguments], "infer.py")
        return code, capsys.readouterr().err.splitlines()

    return infer


@pytest.fixture
def made(call: Call, folder: Path) -> Callable[..., np.ndarray]:
    """The picture that the options give."""

    def make(*arguments: str) -> np.ndarray:
        assert call(*arguments, "-o", "result.png") == (0, [])
        return np.asarray(Image.open(folder / "result.png"))

    return make


def test_every_option_of_the_brush_changes_the_picture(made: Callable[..., np.ndarray], folder: Path) -> None:
    night, photo = made("-s", "night"), np.asarray(Image.open(folder / "photo.png"))
    np.testing.assert_array_equal(made("-s", "night", "--strength", "0"), photo)
    options = (["--strength", "1.5"], ["--stroke", "2"], ["--keep-colors"], ["--match-colors"], ["-s", "wave"])
    results = [night, *(made("-s", "night", *option) for option in options)]
    assert len({result.tobytes() for result in results}) == 6


def test_a_mask_and_its_inverse_share_the_picture(made: Callable[..., np.ndarray], folder: Path) -> None:
    night, photo = made("-s", "night"), np.asarray(Image.open(folder / "photo.png"))
    masked = made("-s", "night", "--mask", "mask.png")
    np.testing.assert_array_equal(masked, np.hstack([photo[:, :20], night[:, 20:]]))
    inverse = made("-s", "night", "--mask", "mask.png", "--mask-invert")
    np.testing.assert_array_equal(inverse, np.hstack([night[:, :20], photo[:, 20:]]))


def test_two_styles_share_a_mask(made: Callable[..., np.ndarray]) -> None:
    night, wave = made("-s", "night"), made("-s", "wave")
    both = made("-s", "night", "-s", "wave", "--mask", "mask.png")
    np.testing.assert_array_equal(both, np.hstack([wave[:, :20], night[:, 20:]]))


def test_a_blend_is_named_after_its_styles(call: Call, folder: Path, made: Callable[..., np.ndarray]) -> None:
    assert call("-s", "night:3", "--style", "wave:1") == (0, [])
    blend = np.asarray(Image.open(folder / "photo-night+wave.png")).astype(float)
    expected = 0.75 * made("-s", "night") + 0.25 * made("-s", "wave")
    np.testing.assert_allclose(blend, expected, atol=1.5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--strength", "2"], "--strength must lie between 0 and 1.5, got 2"),
        (["--strength", "-1"], "--strength must lie between 0 and 1.5, got -1"),
        (["--strength", "much"], "argument --strength: invalid float value: 'much' (see --help)"),
        (["--stroke", "3"], "--stroke must lie between 0.5 and 2, got 3"),
        (["--stroke", "nan"], "--stroke must lie between 0.5 and 2, got nan"),
        (["--keep-colors=yes"], "argument --keep-colors: ignored explicit argument 'yes' (see --help)"),
        (["--match-colors=yes"], "argument --match-colors: ignored explicit argument 'yes' (see --help)"),
        (["--mask"], "argument --mask: expected one argument (see --help)"),
        (["--mask", "nope.png"], "--mask nope.png: No such file or directory"),
        (["--mask", "text.txt"], "--mask text.txt: is not an image in a format that can be read"),
        (
            ["--mask", "mask.png", "-o", "mask.png"],
            "--mask mask.png would be overwritten; choose another output with -o",
        ),
        (["--mask-invert"], "--mask-invert needs --mask FILE"),
        (["-s", "nope:0.5"], "there is no style nope; available: gallery#…, mada, night, reading, "),
        (["-s", "wave:0"], "a style's weight must be a number above 0, got 0"),
        (
            ["-s", "wave:0.3", "--mask", "mask.png"],
            "remove the weights: with a mask, two styles use its white and black areas",
        ),
    ],
)
def test_each_option_wrong_is_one_line(call: Call, folder: Path, options: list[str], reason: str) -> None:
    (folder / "text.txt").write_text("no picture")
    before = sorted(os.listdir(folder))
    code, err = call("-s", "night", *options)
    assert (code, len(err)) == (1, 1)
    assert err[0].startswith(f"infer.py: error: {reason}")
    assert sorted(os.listdir(folder)) == before


def test_a_weight_for_a_single_style_is_a_mistake(call: Call) -> None:
    reason = "the weight 0.5 needs a second style; strength fades a single one"
    assert call("-s", "night:0.5") == (1, [f"infer.py: error: {reason}"])


def test_the_real_time_example_prints_a_line_a_frame(folder: Path) -> None:
    script = ROOT / "examples/realtime.py"
    assert len(script.read_text().splitlines()) < 30
    command = [sys.executable, str(script), "night", "photo.png", "photo.png"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert [re.sub(r"\d+\.\d ms", "time", line) for line in done.stdout.splitlines()] == [
        "frame 0: time",
        "frame 1: time",
    ]


def test_the_sheet_shows_every_control(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = runpy.run_path(str(ROOT / "benchmarks/controls.py"))
    monkeypatch.setattr(sys, "argv", ["controls.py", "photo.png", "night", "wave", "sheet.png"])
    script["main"]()
    width, height = script["SIDE"] * 40 // 32, script["SIDE"] + script["LABEL"]
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.size == (5 * width, 3 * height)
