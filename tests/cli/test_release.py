"""The set of networks: what is trained anew and what is not, and the page of each."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from runs import SMALL
from safetensors.torch import load_file
from service_client import save_gallery

from stylenet.cli import release
from stylenet.cli.main import run_command
from stylenet.data.painting import STYLES
from stylenet.device import device_name
from stylenet.disk import file_sha256
from stylenet.errors import UserError
from stylenet.evaluation.settings import EvaluationSettings
from stylenet.models.style_file import Card, read_card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.release import pages
from stylenet.release.model_card import index, page, verdict
from stylenet.training.run_folder import settings_digest, write_settings
from stylenet.training.settings import upgrade_settings

FACTS = {
    "painting": {"title": "Wave", "artist": "Hokusai", "year": "1831", "size": 384},
    "photos": ["set one, CC0", "set two, CC BY"],
    "training": {
        "steps": 5,
        "batch": 1,
        "crop": 192,
        "seed": 0,
        "learning_rate": 0.002,
        "precision": "32-true",
        "init": {"style": "starry"},
    },
    "loss": {
        "content_layers": ["relu2_2"],
        "style_layers": ["relu1_2"],
        "content_weight": 1.0,
        "style_weight": 4.0,
        "tv_weight": 0.0,
        "calm_weight": 6.0,
    },
    "loss_network": {"name": "VGG19"},
    "parameters": 1679235,
    "held_out": {"style": 0.1},
}
GOOD = {
    "size": 512,
    "photos": 16,
    "content": 0.8,
    "style": 0.1,
    "chroma": 1.0,
    "texture": 0.97,
    "bands": [0.8, 1.0, 0.95, 1.2, 1.3],
    "empty": 0.0,
    "color_sw": 3.0,
    "ssim": 0.4,
    "shift": 3.0,
    "noise": 0.9,
    "style_ratio": 0.02,
    "complaints": [],
}
MACHINE = {"device": "a machine", "milliseconds": {256: 12.34, 512: 50.0}}


def published(folder: Path, **changes: object) -> Path:
    painting = {**FACTS["painting"], "sha256": file_sha256(STYLES / "wave.jpg")}  # type: ignore[dict-item]
    file = folder / "checkpoints" / "wave.safetensors"
    save_style(file, TransformerNet(), Card("wave", facts={**FACTS, "painting": painting, **changes}))
    return file


def test_a_style_is_made_again_when_its_settings_or_its_painting_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digest = release.digest_of("wave", ["steps=5"])
    assert digest == release.digest_of("wave", ["steps=5", "logger.wandb=false"])
    assert digest != release.digest_of("wave", ["steps=6"])
    assert not release.is_made("wave", digest)
    published(tmp_path, settings=digest)
    assert release.is_made("wave", digest)
    assert not release.is_made("wave", "another")
    published(tmp_path, settings=digest, painting={"sha256": "1" * 64})
    assert not release.is_made("wave", digest)


def test_files_that_release_did_not_make_end_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    published(tmp_path, figures=[{**GOOD, "size": 256}, GOOD]).with_suffix(".md").write_text("wave")
    own = tmp_path / "checkpoints" / "own.safetensors"
    save_style(own, TransformerNet(), Card("own"))
    own.with_suffix(".md").write_text("a page for the hub")
    for name, text in (("damaged.safetensors", ""), ("damaged.md", "")):
        (tmp_path / "checkpoints" / name).write_text(text)
    pages.write_index()
    (row,) = rows_of((tmp_path / "checkpoints/README.md").read_text())
    assert row.startswith("| [wave](wave.md) |")
    save_style(tmp_path / "checkpoints" / "wave.safetensors", TransformerNet(), Card("wave"))
    assert not release.is_made("wave", "any")


def test_a_page_is_kept_where_the_network_cannot_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = published(tmp_path, painting={"sha256": "1" * 64})
    file.with_suffix(".md").write_text("a page for the hub")
    with pytest.raises(UserError, match="its file must be given"):
        pages.write_page(file, EvaluationSettings())
    assert file.with_suffix(".md").read_text() == "a page for the hub"


@pytest.mark.parametrize("setting", ["network=small", "style.name=x", "style.suffix=-x", "resume=auto", "add_to=x"])
def test_what_a_network_is_cannot_be_set(setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("release", ["wave", setting]) != 0
    assert f"{setting} cannot be set here" in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on_unless_its_settings_were_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = upgrade_settings({"steps": 5})
    digest = settings_digest(settings)
    assert release.stopped_run("wave", digest) is None
    for time, held_out, stopped in (("1", {}, True), ("2", {"style": 0.1}, False), ("3", {}, True)):
        folder = tmp_path / "outputs" / "wave" / time
        save_style(folder / "wave.safetensors", TransformerNet(), Card("wave", facts={**FACTS, "held_out": held_out}))
        (folder / "last.ckpt").touch()
        write_settings(folder, settings)
        assert (release.stopped_run("wave", digest) is not None) == stopped
    assert release.stopped_run("wave", "another") is None


def test_a_small_network_is_its_paintings_with_another_form() -> None:
    arguments = release.train_arguments("starry-small", ["steps=5"])
    assert arguments == ["style=starry", "network=small", "steps=5"]


def test_the_page_names_the_painting_the_photos_and_the_figures_of_each_size() -> None:
    facts = {**FACTS, "figures": [{**GOOD, "size": 256}, {**GOOD, "shift": 1.25}]}
    text = page(facts, "wave", {"minutes": 8.4, "device": "a processor"}, MACHINE, 6.7)
    for part in ("# Wave (`wave`)", "Hokusai, 1831", "set one, CC0; set two, CC BY", "5 steps of 1 at 192 px"):
        assert part in text
    assert "from the network `starry`; 8 minutes on a processor" in text
    assert "| change for a shift of 1 px, of 255 (at most 6) | 3 | 1.25 |" in text
    assert "| milliseconds | 12.3 | 50.0 |" in text
    assert "Reaches every goal" in text


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"shift": 6.1}, "shift of 1 px, of 255 6.1 at 512 px, goal 6"),
        ({"noise": 1.7}, "noise gain 1.7"),
        ({"ssim": 0.2}, "SSIM 0.2"),
        ({"chroma": 0.9}, "chroma, of the painting's 0.9 at 512 px, goal 0.95"),
        ({"chroma": 1.3}, "chroma, of the painting's 1.3 at 512 px, goal 1.25"),
        ({"texture": 0.9}, "texture, of the painting's 0.9"),
        ({"bands": [1, 1, 0.8, 1, 1.6]}, "weakest coarse band, of the painting's 0.8 at 512 px, goal 0.9"),
        ({"bands": [1, 1, 0.8, 1, 1.6]}, "strongest coarse band, of the painting's 1.6 at 512 px, goal 1.5"),
        ({"empty": 0.04}, "empty areas, share above the painting's 0.04"),
        ({"color_sw": 4.2}, "distance of the colors, in Lab units 4.2"),
        ({"complaints": ["a grid"]}, "a grid at 512 px"),
        ({"gatys": {"noise/lbfgs": {"steps": 31}, "noise/adam": {"steps": None}}}, "from noise 31 at 512 px, goal 50"),
    ],
)
def test_the_page_says_what_falls_short(change: dict[str, object], part: str) -> None:
    assert part in verdict([{**GOOD, **change}])
    assert verdict([GOOD]).startswith("Reaches")


def test_goals_are_those_of_512_pixels() -> None:
    poor = {**GOOD, "size": 256, "texture": 0.5, "gatys": {"noise/lbfgs": {"steps": 60, "high": 61}}}
    low, facts = {**GOOD, "texture": 0.9}, {**FACTS, "figures": [poor, {**GOOD, "texture": 0.99}]}
    text = page({**facts, "figures": [{**GOOD, "size": 256, "texture": 0.5}, low]}, "wave", {}, MACHINE, 6.7)
    assert "| texture, of the painting's (at least 0.95) | 0.5 | **0.9** |" in text
    (row,) = rows_of(index({"wave": facts}))
    assert "| 1 | 0.99 | 0.95 |" in row
    assert "| 0.9 | none |" in row


def rows_of(index: str) -> list[str]:
    """The lines of its table, below the head."""
    return [line for line in index.splitlines() if line.startswith("| [")]


def test_a_card_without_the_figures_of_appearance_has_dashes_and_a_page() -> None:
    old = {key: value for key, value in GOOD.items() if key not in {"chroma", "texture", "bands", "empty", "color_sw"}}
    gray = {**GOOD, "chroma": None, "bands": [None] * 5}
    assert "| – | – | – | – | – | – | 0.4 | 3 |" in index({"wave": {**FACTS, "figures": [old]}})
    assert "| – | 0.97 | – | – | 0 |" in index({"wave": {**FACTS, "figures": [gray]}})
    assert "chroma" not in page({**FACTS, "figures": [old]}, "wave", {}, MACHINE, 6.7)
    assert "chroma, of the painting's (0.95 to 1.25) | – |" in page(
        {**FACTS, "figures": [gray]}, "wave", {}, MACHINE, 6.7
    )


def test_the_table_of_all_networks_marks_what_misses_its_goal() -> None:
    bad = {**GOOD, "shift": 7.0, "complaints": ["a grid"]}
    text = index({"wave": {**FACTS, "figures": [GOOD]}, "night": {**FACTS, "figures": [bad]}})
    night, wave = rows_of(text)
    assert text.index("| [wave]") < text.index("![night](night.jpg)") < text.index("![wave](wave.jpg)")
    assert wave.startswith(
        "| [wave](wave.md) | Wave, Hokusai, 1831 | 5, `starry` | 1 | 0.97 | 0.95 | 1.3 | 0 | 3 | 0.4 | 3 |"
    )
    assert wave.endswith("| none |")
    assert "| **7** |" in night
    assert night.endswith("| a grid |")


def test_a_trained_network_gets_its_page_once_and_keeps_its_figures(
    tmp_path: Path, here: Callable[..., int], tiny_vgg_file: Path
) -> None:
    weights = f"loss_network.weights={tiny_vgg_file}"
    assert here("style=wave", weights, *SMALL, "init=null", "budget=cpu", "steps=2") == 0
    file = tmp_path / "checkpoints" / "wave.safetensors"
    before = load_file(file)
    settings = EvaluationSettings(str(tiny_vgg_file), gatys_steps=2, gatys_photos=1)
    pages.write_page(file, settings)
    facts, text = read_card(file).facts, file.with_suffix(".md").read_text()
    assert [found["size"] for found in facts["figures"]] == [256, 512]
    assert set(facts["figures"][0]["gatys"]["noise/lbfgs"]) == {"steps", "low", "high", "loss"}
    assert "gatys" not in facts["figures"][1]
    assert f"| content loss | {facts['figures'][0]['content']:.3g}" in text.replace("**", "")
    assert "2 steps of 1 at 32 px" in text
    assert f"minutes on {device_name()}" in text
    assert "- 1 photo of 256 px, from noise: " in text
    after = load_file(file)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert Image.open(file.with_suffix(".jpg")).width > 1000
    file.with_suffix(".md").write_text("as it was")
    pages.write_page(file, settings)
    assert file.with_suffix(".md").read_text() == "as it was"
    pages.write_index()
    assert "[wave](wave.md)" in (tmp_path / "checkpoints" / "README.md").read_text()


def test_a_network_of_many_styles_has_a_line_and_keeps_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    figures = [{**GOOD, "size": 256}, GOOD]
    published(tmp_path, figures=figures).with_suffix(".md").write_text("wave")
    file = save_gallery(tmp_path / "checkpoints/gallery.safetensors", "night", "wave")
    file.with_suffix(".md").write_text("all of them")
    pages.write_index()
    text = (tmp_path / "checkpoints/README.md").read_text()
    assert [line for line in text.splitlines() if "gallery" in line] == [
        "[gallery](gallery.md): one network, 2 styles."
    ]
    (row,) = rows_of(text)
    assert row.startswith("| [wave](wave.md) |")
    assert run_command("release", ["--pages", "--judge", "", "gallery"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "gallery.safetensors holds many styles: tools/gallery_page.py writes its page" in line
    assert file.with_suffix(".md").read_text() == "all of them"


def test_what_needs_weights_that_cannot_be_had_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    caplog.set_level("INFO")
    pages.missing_weights.cache_clear()
    assert pages.missing_weights("torchvision", True) == ("judge", "lpips")
    assert pages.missing_weights(None, False) == ()
    assert [record.getMessage()[:12] for record in caplog.records].count("not measured") == 2


@pytest.mark.parametrize(("scale", "stored"), [(1.0, torch.float16), (1e8, torch.float32)])
def test_weights_are_stored_as_16_bits_where_that_shows_in_no_picture(
    tmp_path: Path, scale: float, stored: torch.dtype
) -> None:
    network = initialize(TransformerNet(NetworkSettings(width=4, blocks=1)), seed=0)
    first = next(network.parameters())
    first.data *= scale  # which the norm after it takes out again
    save_style(tmp_path / "a.safetensors", network, Card("a", network.settings))
    release.halve(tmp_path / "a.safetensors")
    assert {value.dtype for value in load_file(tmp_path / "a.safetensors").values()} == {stored}
    assert read_card(tmp_path / "a.safetensors").name == "a"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nobody", "steps=1"], "nobody: there is no painting nobody in configs/style/; available: mada, "),
        (["my photo 100%#1:2.jpg"], "there is no painting my photo 100%#1:2.jpg in configs/style/"),
        (["wave-huge"], "wave-huge: there is no network huge in configs/network/"),
        (["wave", "--judge", "none.pth"], "--judge: there is no file none.pth"),
    ],
)
def test_what_cannot_be_released_is_one_line_before_any_training(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(release, "train", lambda *_: pytest.fail("trained"))
    assert run_command("release", words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
