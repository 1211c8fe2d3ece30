"""`stylenet evaluate --photo --against`: a picture of any origin beside the network's own."""

import json
from pathlib import Path

import pytest
from made_up_vgg import tiny_weights
from PIL import Image
from safetensors.torch import save_file

from stylenet.cli.main import run_command
from stylenet.data.painting import STYLES
from stylenet.disk import file_sha256
from stylenet.inference.stylizer import Stylizer
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

LOSS = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1"], "style_weight": 2.0}
VGG16 = {0: "1_1", 2: "1_2", 5: "2_1", 7: "2_2", 10: "3_1", 12: "3_2", 14: "3_3", 17: "4_1", 19: "4_2", 21: "4_3"}


@pytest.fixture
def command(tmp_path: Path, tiny_vgg_file: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command that lacks `--against` alone, in a folder with a photo of 160 x 100 px and an untrained network."""
    monkeypatch.chdir(tmp_path)
    painting = {"size": 64, "sha256": file_sha256(STYLES / "wave.jpg")}
    weights = {"architecture": "vgg19", "sha256": file_sha256(tiny_vgg_file), "name": "tiny"}
    facts = {"painting": painting, "loss": LOSS, "loss_network": weights}
    settings = NetworkSettings(4, 1)
    save_style(tmp_path / "odd.safetensors", initialize(TransformerNet(settings), 0), Card("odd", settings, facts))
    Image.effect_noise((160, 100), 60).convert("RGB").save("photo.png")
    return ["odd.safetensors", "--photo", "photo.png", "--weights", str(tiny_vgg_file)]


def test_what_the_network_itself_made_has_its_own_figures(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open("photo.png") as photo:
        Stylizer.load("odd.safetensors").stylize(photo).save("ours.png")
    assert run_command("evaluate", [*command, "--against", "ours.png"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["width"], found["height"]) == ("odd", 160, 100)
    wanted = {"chroma", "texture", "empty", "bands", "color_sw", "feature_sw", "ssim", "style_ratio"}
    assert wanted <= set(found["ours"])
    assert found["theirs"].keys() == found["ours"].keys()
    for name in ("chroma", "texture", "color_sw", "ssim", "style_ratio"):
        assert found["theirs"][name] == pytest.approx(found["ours"][name], rel=0.01)  # a file has 8 bits


def test_a_photo_that_is_the_painting_has_no_share(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Image.open("photo.png").resize((102, 64)).save("photo.png")  # as large as the painting is seen
    arguments = [*command, "--against", "photo.png", "--painting", "photo.png"]
    assert run_command("evaluate", arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ours"]["style_ratio"], found["theirs"]["style_ratio"]) == (None, None)


def test_both_have_the_size_of_the_other_picture(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (112, 70), "red").save("theirs.jpg")
    assert run_command("evaluate", [*command, "--against", "theirs.jpg"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["width"], found["height"]) == (112, 70)
    assert found["theirs"]["texture"] == 0
    assert found["ours"]["texture"] > 0
    assert found["theirs"]["bands"] == [0] * 5


def test_the_judge_also_takes_the_distance_of_features(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.effect_noise((160, 100), 90).convert("RGB").save("theirs.png")
    made_up = tiny_weights(last="conv4_3").convolutions
    weights = {f"features.{place}.weight": made_up[f"conv{name}"][0] for place, name in VGG16.items()}
    biases = {f"features.{place}.bias": made_up[f"conv{name}"][1] for place, name in VGG16.items()}
    save_file(weights | biases, tmp_path / "vgg16.safetensors")
    found = []
    for judge in ([], ["--judge", "vgg16.safetensors"]):
        assert run_command("evaluate", [*command, "--against", "theirs.png", *judge]) == 0
        found.append(json.loads(capsys.readouterr().out)["theirs"])
    assert found[0]["chroma"] == found[1]["chroma"]
    assert found[0]["feature_sw"] != found[1]["feature_sw"]
    assert "style_ratio_vgg16" in found[1]


def made(kind: str) -> str:
    """The name of a file that cannot be compared with the photo."""
    name = f"{kind}.png"
    if kind == "text":
        Path(name).write_text("no image")
    elif kind == "upright":
        Image.new("RGB", (100, 160)).save(name)
    elif kind == "square":
        Image.new("RGB", (100, 100)).save(name)
    elif kind == "small":
        Image.new("RGB", (80, 50)).save(name)
    return name


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("text", "text.png: is not an image"),
        ("missing", "missing.png: "),
        ("upright", "upright.png (100 x 160) has another aspect ratio than photo.png (160 x 100)"),
        ("square", "another aspect ratio"),
        ("small", "small.png must have sides of at least 64 pixels, got 80 x 50"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    kind: str, part: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("evaluate", [*command, "--against", made(kind)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--photo", "photo.png"], "belong together"),
        (["--against", "photo.png"], "belong together"),
        (["--photo", "photo.png", "--against", "photo.png", "--size", "256"], "--size cannot be combined"),
        (["--photo", "photo.png", "--against", "photo.png", "--photos", "."], "--photos cannot be combined"),
        (["--photo", "photo.png", "--against", "photo.png", "--gatys", "3"], "--gatys cannot be combined"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("evaluate", ["starry", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line
