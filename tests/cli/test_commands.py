"""`python -m stylenet.evaluate` and `python -m stylenet.optimize` as a user runs them, on a tiny loss network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from infer_command import ROOT
from pictures import GREEN_FIRST
from PIL import Image
from torch import Tensor

from stylenet.cli import optimize_run
from stylenet.cli.main import run_command
from stylenet.data.painting import STYLES
from stylenet.disk import file_sha256
from stylenet.errors import UserError
from stylenet.evaluation import report
from stylenet.models.style_file import Card, read_card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

LOSS = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1"], "style_weight": 2.0}


def run(folder: Path, module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    command = [sys.executable, "-m", f"stylenet.{module}", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


@pytest.fixture
def style(tmp_path: Path, tiny_vgg_file: Path) -> Path:
    """A style file of an untrained network, whose card names the shipped wave as its painting."""
    painting = {"size": 64, "sha256": file_sha256(STYLES / "wave.jpg")}
    weights = {"architecture": "vgg19", "sha256": file_sha256(tiny_vgg_file), "name": "tiny"}
    facts = {"painting": painting, "loss": LOSS, "loss_network": weights}
    settings = NetworkSettings(4, 1)
    save_style(tmp_path / "odd.safetensors", initialize(TransformerNet(settings), 0), Card("odd", settings, facts))
    return tmp_path / "odd.safetensors"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2):
        Image.effect_noise((80, 90), 60 + number).convert("RGB").save(folder / f"{number}.png")
    return folder


def test_evaluate_prints_a_line_for_each_size(style: Path, photos: Path, tiny_vgg_file: Path) -> None:
    options = ["--photos", photos, "--weights", tiny_vgg_file, "--size", "64", "80", "--gatys", "3"]
    result = run(style.parent, "evaluate", style, *options)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["name"], line["photos"], line["size"]) for line in lines] == [("odd", 2, 64), ("odd", 2, 80)]
    wanted = {"content", "style", "style_baseline", "style_ratio", "ssim", "shift", "noise", "grid", "complaints"}
    wanted |= {"contrast", "chroma", "contrast_ratio", "texture", "empty", "bands", "coarse", "color_sw", "feature_sw"}
    assert wanted <= set(lines[0])
    assert len(lines[0]["bands"]) == 5
    assert len(lines[0]["gatys"]["noise/lbfgs"]["curve"]) == 3


def test_evaluate_gives_null_for_what_a_gray_painting_does_not_have(
    style: Path, photos: Path, tiny_vgg_file: Path
) -> None:
    Image.new("RGB", (100, 80), "gray").save(style.parent / "gray.png")
    options = ["--photos", photos, "--weights", tiny_vgg_file, "--size", "64", "--painting", "gray.png"]
    result = run(style.parent, "evaluate", style, *options)
    assert result.returncode == 0, result.stderr

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not strict JSON")

    figures = json.loads(result.stdout, parse_constant=refuse)
    assert [figures[name] for name in ("chroma", "contrast_ratio", "texture", "coarse")] == [None] * 4
    assert figures["bands"] == [None] * 5


def test_evaluate_says_what_it_leaves_out_and_when_the_painting_is_another(
    style: Path, photos: Path, tiny_vgg_file: Path
) -> None:
    (photos / "notes.txt").write_text("no image")
    options = ["--photos", photos, "--weights", tiny_vgg_file, "--size", "64", "--painting", STYLES / "starry.jpg"]
    result = run(style.parent, "evaluate", style, *options)
    assert (result.returncode, json.loads(result.stdout)["photos"]) == (0, 2), result.stderr
    assert "skipped: notes.txt: not an image" in result.stderr
    assert "odd was trained on another painting than" in result.stderr
    result = run(style.parent, "evaluate", style, "--painting", "nope.jpg", "--weights", tiny_vgg_file)
    assert result.stderr.splitlines() == [
        "stylenet evaluate: error: painting must be an image file, but there is none at nope.jpg"
    ]
    result = run(style.parent, "evaluate", style, "--size", "5000")
    assert "--size must be from 64 to 4096, got 5000" in result.stderr


def test_evaluate_says_when_the_loss_network_is_another(
    style: Path, tmp_path: Path, tiny_vgg_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card = read_card(style)
    report.rebuilt_criterion(card, STYLES / "wave.jpg", str(tiny_vgg_file))
    assert not caplog.records
    card.facts["loss_network"]["sha256"] = "1" * 64
    report.rebuilt_criterion(card, STYLES / "wave.jpg", str(tiny_vgg_file))
    assert "trained with other weights" in caplog.text


def test_evaluate_needs_the_painting_of_a_style_that_is_not_shipped(style: Path) -> None:
    card = read_card(style)
    assert report.shipped_painting(card).parent == STYLES
    card.facts["painting"]["sha256"] = "1" * 64
    with pytest.raises(UserError, match="its file must be given"):
        report.shipped_painting(card)


@pytest.mark.parametrize(
    ("key", "value"),
    [("painting", value) for value in (None, [], "x", {}, {"size": 64}, {"size": float("nan")}, {"size": 10**9})]
    + [("painting", {"size": size, "sha256": file_sha256(STYLES / "wave.jpg")}) for size in ("64", 64.5, -1, 10**9)]
    + [("loss", value) for value in (None, "x", [], {"form\x1b[2J": 1}, {**LOSS, "form": "\x1b[2J"})]
    + [("loss", {**LOSS, "style_layers": layers}) for layers in (None, 3, [3], [[]], "relu1_1", ["relu9_1\n"], [])]
    + [("loss", {**LOSS, "style_weight": weight}) for weight in (None, "1", [], -1, float("nan"))]
    + [("loss_network", value) for value in (None, "x", [], {"architecture": ["x"]}, {"architecture": "x\n"})],
)
def test_evaluate_answers_a_strange_card_in_one_line(style: Path, tiny_vgg_file: Path, key: str, value: object) -> None:
    card = read_card(style)
    strange = Card("odd", card.network, {**card.facts, key: value})
    with pytest.raises(UserError) as caught:
        report.rebuilt_criterion(strange, report.shipped_painting(strange), str(tiny_vgg_file))
    assert str(caught.value).isprintable()


def test_optimize_leaves_a_picture_and_those_on_the_way(tmp_path: Path, photos: Path, tiny_vgg_file: Path) -> None:
    small = ["--size", "80", "--style-size", "80", "--steps", "4", "--every", "2", "--weights", tiny_vgg_file]
    result = run(tmp_path, "optimize", photos / "0.png", STYLES / "wave.jpg", "-o", "out.png", *small)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "out.png\n"
    assert Image.open(tmp_path / "out.png").size == (80, 90)
    on_the_way = {path.name for path in tmp_path.glob("out-*.png")}
    assert on_the_way == {f"out-{width}-{step}.png" for width in ("0064", "0080") for step in ("00002", "00004")}


@pytest.mark.parametrize("memory", ["enough", "too little"])
def test_optimize_sees_the_photo_in_the_colors_of_its_profile_and_says_when_it_is_too_large(
    memory: str, tmp_path: Path, tiny_vgg_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refined(_: object, photo: Tensor, *__: object) -> Tensor:
        if memory == "too little":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return photo

    monkeypatch.setattr(optimize_run, "optimize_at_size", refined)
    Image.new("RGB", (64, 64), (200, 30, 30)).save(tmp_path / "photo.png", icc_profile=GREEN_FIRST)
    output, small = tmp_path / "out.png", ["--size", "64", "--style-size", "64", "--scales", "1"]
    command = [str(tmp_path / "photo.png"), str(STYLES / "wave.jpg"), "-o", str(output), *small]
    code = run_command("optimize", [*command, "--weights", str(tiny_vgg_file)])
    error = capfd.readouterr().err
    if memory == "enough":
        red, green, _ = Image.open(output).getpixel((9, 9))
        assert (code, green > red) == (0, True)
    else:
        assert (code, "error: out of memory: 64 px does not fit; a smaller --size" in error) == (1, True)
        assert "Traceback" not in error


@pytest.mark.parametrize(
    ("options", "part"), [(["--size", "8"], "--size"), (["-o", "photo.png"], "another file"), (["--start", "x"], "x")]
)
def test_optimize_refuses_in_words(
    options: list[str], part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64)).save("photo.png")
    assert run_command("optimize", ["photo.png", str(STYLES / "wave.jpg"), *options]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("stylenet optimize: error: ")
    assert part in line
