"""The set of networks: what is trained anew and what is not, and the page of each."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stylenet import release
from stylenet.disk import file_sha256
from stylenet.learning.card_page import page, verdict
from stylenet.learning.painting import STYLES
from stylenet.network import NetworkSettings, TransformerNet, initialise
from stylenet.style_file import Card, read_card, save_style

FACTS = {
    "painting": {"title": "Wave", "artist": "Hokusai", "year": "1831", "sha256": file_sha256(STYLES / "wave.jpg")},
    "photos": ["set one, CC0", "set two, CC BY"],
    "training": {"steps": 5, "batch": 1, "crop": 192, "precision": "32-true", "init": {"style": "starry"}},
    "loss": {"content_layers": ["relu2_2"], "style_layers": ["relu1_2"], "style_weight": 4.0},
    "loss_network": {"name": "VGG19"},
    "parameters": 1679235,
    "held_out": {"style": 0.1},
}
GOOD = {"size": 256, "ssim": 0.4, "shift": 3.0, "noise": 0.9, "share": 0.02, "complaints": []}


def shelved(folder: Path, **changes: object) -> None:
    save_style(folder / "checkpoints" / "wave.safetensors", TransformerNet(), Card("wave", facts={**FACTS, **changes}))


def test_a_style_is_made_again_when_its_settings_or_its_painting_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digest = release.digest_of("wave", ["steps=5"])
    assert not release.is_made("wave", ["steps=5"])
    shelved(tmp_path, settings=digest)
    assert release.is_made("wave", ["steps=5", "logger.wandb=false"])
    assert not release.is_made("wave", ["steps=6"])
    shelved(tmp_path, settings=digest, painting={**FACTS["painting"], "sha256": "1" * 64})
    assert not release.is_made("wave", ["steps=5"])


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not release.is_stopped("wave")
    for time, held_out, stopped in (("1", {}, True), ("2", {"style": 0.1}, False), ("3", {}, True)):
        folder = tmp_path / "outputs" / "wave" / time
        card = Card("wave", facts={**FACTS, "held_out": held_out})
        save_style(folder / "wave.safetensors", TransformerNet(), card)
        (folder / "last.ckpt").touch()
        assert release.is_stopped("wave") == stopped


def test_a_small_network_is_its_paintings_with_another_form() -> None:
    command = release.train_command("starry-small", ["steps=5"])
    assert command[0] == sys.executable
    assert command[2:] == ["style=starry", "network=small", "steps=5"]


def test_the_page_names_the_painting_the_photos_and_the_figures_of_each_size() -> None:
    text = page(FACTS, "wave", [GOOD, {**GOOD, "size": 512, "shift": 1.25}], "a machine", 6.7)
    for part in ("# Wave", "Hokusai, 1831", "set one, CC0; set two, CC BY", "5 steps of 1 at 192 px", "from starry"):
        assert part in text
    assert "| change for a shift of 1 px, of 255 | 3 | 1.25 |" in text
    assert "Reaches every goal" in text


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"shift": 4.1}, "shift of 1 px, of 255 4.1 at 256 px, goal 4"),
        ({"noise": 1.6}, "noise gain 1.6"),
        ({"ssim": 0.2}, "SSIM 0.2"),
        ({"complaints": ["a grid"]}, "a grid at 256 px"),
        ({"gatys": {"noise/lbfgs": {"steps": 31}, "noise/adam": {"steps": None}}}, "from noise 31 at 256 px, goal 50"),
    ],
)
def test_the_page_says_what_falls_short(change: dict[str, object], part: str) -> None:
    assert part in verdict([{**GOOD, **change}])
    assert verdict([GOOD]).startswith("Reaches")


@pytest.mark.parametrize(("scale", "stored"), [(1.0, torch.float16), (1e8, torch.float32)])
def test_weights_are_stored_as_16_bits_where_that_shows_in_no_picture(
    tmp_path: Path, scale: float, stored: torch.dtype
) -> None:
    network = initialise(TransformerNet(NetworkSettings(width=4, blocks=1)), seed=0)
    first = next(network.parameters())
    first.data *= scale  # which the norm after it takes out again
    save_style(tmp_path / "a.safetensors", network, Card("a", network.settings))
    release.halve(tmp_path / "a.safetensors")
    assert {value.dtype for value in load_file(tmp_path / "a.safetensors").values()} == {stored}
    assert read_card(tmp_path / "a.safetensors").name == "a"
