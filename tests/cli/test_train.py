"""`train.py` as a user runs it, on a tiny random loss network."""

import csv
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from PIL import Image
from runs import ROOT, SMALL, Run

from stylenet.cli.resumption import recorded_settings
from stylenet.cli.train_arguments import quote
from stylenet.cli.train_compose import CONFIGS, composed_settings
from stylenet.cli.train_hydra import add_budget
from stylenet.losses.perceptual import check_terms, loss_preset
from stylenet.models.catalog import SHIPPED, StyleReference
from stylenet.models.style_file import read_card, read_style
from stylenet.models.transformer_net import NetworkSettings
from stylenet.training.base_network import architecture_of, find_base, find_init
from stylenet.training.run_folder import style_name
from stylenet.training.settings import Settings, network_preset, schema


def command(script: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / script), *map(str, arguments)]


def run(folder: Path, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(script, *arguments), cwd=folder, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def weights(tiny_vgg_file: Path) -> str:
    return f"loss_network.weights={tiny_vgg_file}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, weights: str) -> tuple[Path, str]:
    """A working directory in which a style was trained, and what that printed."""
    folder = tmp_path_factory.mktemp("work")
    result = run(folder, "train.py", "style=wave", "steps=4", weights, *SMALL)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, result.stdout


def test_a_run_leaves_everything_in_its_folder_and_a_style_on_the_shelf(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    (run_folder,) = (folder / "outputs" / "wave").iterdir()
    names = {path.name for path in run_folder.iterdir()}
    assert {
        "config.yaml",
        "resolved.json",
        "metrics.csv",
        "last.ckpt",
        "wave.safetensors",
        "sheets",
    } <= names
    assert (folder / "checkpoints" / "wave.safetensors").read_bytes() == (run_folder / "wave.safetensors").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"outputs", "checkpoints"}


def test_the_run_folder_tells_the_settings_and_the_metrics(trained: tuple[Path, str]) -> None:
    (run_folder,) = (trained[0] / "outputs" / "wave").iterdir()
    assert yaml.safe_load((run_folder / "config.yaml").read_text())["style"]["artist"] == "Katsushika Hokusai"
    assert json.loads((run_folder / "resolved.json").read_text())["steps"] == 4
    with (run_folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"loss/content", "loss/style", "loss/tv", "loss/total", "held_out/style_ratio"} <= set(rows[0])
    (waiting,) = (float(row["speed/waiting"]) for row in rows if row["speed/waiting"])
    (memory,) = (float(row["memory/peak_gib"]) for row in rows if row["memory/peak_gib"])
    assert 0 < waiting < 1
    assert 0.1 < memory < 20


def test_the_card_tells_what_made_the_network(trained: tuple[Path, str]) -> None:
    card = read_card(trained[0] / "checkpoints" / "wave.safetensors")
    assert (card.name, card.network.width, card.facts["training"]["steps"]) == ("wave", 4, 4)
    assert card.facts["painting"]["title"] == "The Great Wave off Kanagawa"
    appearance = {"chroma", "texture", "coarse", "empty", "color_sw"}
    assert set(card.facts["held_out"]) == {"content", "style", "style_baseline", "style_ratio"} | appearance
    assert card.facts["loss_network"]["sha256"]


def test_the_last_line_is_a_command_that_works(trained: tuple[Path, str]) -> None:
    folder, output = trained
    Image.new("RGB", (40, 30), "olive").save(folder.parent / "photo.png")
    printed = shlex.split(output.splitlines()[-1].replace("python", sys.executable, 1).replace("PHOTO", "photo.png"))
    command = [*printed, "-o", folder.parent / "out.png"]
    result = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr
    assert (folder / "checkpoints/wave.safetensors").samefile(printed[-1])  # and not the shipped network of that name
    assert Image.open(folder.parent / "out.png").size == (40, 30)


def test_equal_runs_leave_equal_files_and_replace_nothing(trained: tuple[Path, str], weights: str) -> None:
    folder, _ = trained
    published = folder / "checkpoints" / "wave.safetensors"
    before = published.stat().st_mtime_ns
    again = Run(folder, "style=wave", "steps=4", weights, *SMALL)
    assert again.end() == 0, again.output
    first, second = sorted((folder / "outputs" / "wave").iterdir())
    assert (first / "wave.safetensors").read_bytes() == (second / "wave.safetensors").read_bytes()
    assert published.stat().st_mtime_ns == before
    assert "replace=true" in again.output
    shutil.rmtree(second)


def test_a_painting_and_photos_of_ones_own_with_odd_names(tmp_path: Path, weights: str) -> None:
    painting, photos = tmp_path / "it's my, (best) été=1.jpg", tmp_path / "photos [1]"
    Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 50).convert("RGB").save(painting)
    photos.mkdir()
    for number in range(3):
        Image.effect_noise((50, 50), 80).convert("RGB").save(photos / f"{number}.png")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    mine = Run(tmp_path, f"style.image={painting}", "data=folder", f"data.path={photos}", "steps=2", weights, *SMALL)
    assert mine.end() == 0, mine.output
    assert (tmp_path / "checkpoints" / "it-s-my-best-été-1.safetensors").is_file()
    assert "1 skipped" in mine.output


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["style=nope"], ["style/nope", "starry", "wave"]),
        (["style=wave", "style.sizee=8"], ["sizee", "image, name, suffix"]),
        (["style=wave", "style.size=abc"], ["style.size", "abc"]),
        (["style=wave", "style.size=8"], ["style.size", "8"]),
        (["style=wave", "batch=0"], ["batch must be at least 1, got 0"]),
        (["style=wave", "minutes=-1"], ["minutes must be more than 0"]),
        (["style=wave", "steps=5", "minutes=5"], ["steps or minutes"]),
        (["style=wave", "data=folder", "data.path=/none"], ["data.path", "/none"]),
        (["style=wave", "data=nope"], ["data/nope", "folder"]),
        (["style=wave", "loss_network.weights=/none.pth"], ["loss_network.weights", "/none.pth"]),
        (["style=wave", "loss.style_layers=[relu9_1]"], ["loss.style_layers", "relu9_1", "relu1_1"]),
        (["style=wave", "trainer.max_epochs=3"], ["trainer.max_epochs"]),
        (["style=wave", "trainer.nope=3"], ["trainer.nope", "accumulate_grad_batches"]),
        (["style=wave", "trainer.accelerator=tpu"], ["trainer.accelerator", "tpu", "cpu"]),
        (["style=wave", "trainer.val_check_interval=0.25"], ["trainer: ", "val_check_interval"]),
        (["style=wave", "trainer.val_check_interval=0"], ["trainer.val_check_interval must be more than 0, got 0"]),
        (["style=wave", "trainer.gradient_clip_val=-1"], ["trainer.gradient_clip_val must be 0 or more", "-1"]),
        (["style=wave", "trainer.deterministic=abc"], ["trainer.deterministic must be one of true, false", "abc"]),
        (["style=wave", "loss.style_scales=[64]"], ["loss.style_scales", "64"]),
        (["style=wave", "budget.steps=-1"], ["budget.steps must be at least 1, got -1"]),
        (["style=wave", "trainer.strategy=fsdp"], ["trainer.strategy", "auto, ddp", "fsdp"]),
        (["style=wave", "trainer.accelerator=cpu", "trainer.devices=2"], ["trainer.devices", "trainer=ddp"]),
        (["style=wave", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=3"], ["batch", "3 devices"]),
        (["style=wave", "init=nobody"], ["init", "nobody", "starry"]),
        (["style=wave", "init=starry", "network.width=4"], ["init: architecture mismatch: starry is", "width=4"]),
        (["style=wave", "style.suffix=../../../escaped"], ["style.suffix", "../../../escaped"]),
        (["style=wave", "style.suffix=/x"], ["style.suffix", "/x"]),
        (["style=wave", f"style.name={'n' * 244}"], ["too long", "style.name="]),
        (["style.image=empty.jpg"], ["style.image", "empty.jpg"]),
        (["style.image=text.jpg"], ["style.image", "text.jpg"]),
        (["style.image=missing.jpg"], ["style.image", "missing.jpg"]),
        (["style=null"], ["style must be one of mada, own", "wave, wheat, got null"]),
        (["style=wave", "budget=null"], ["budget must be one of cpu, gpu, got null"]),
        (["style="], ["style must be one of", "got nothing"]),
        (["--style=wave"], ["settings have no dashes: style=wave"]),
        (["--nope"], ["there is no option --nope"]),
        (["wave"], ["wave is no setting: style=wave?"]),
        (["text.jpg"], ["text.jpg is no setting: style.image=text.jpg?"]),
        ([], ["style=NAME", "style.image=FILE"]),
    ],
)
def test_a_wrong_setting_is_one_line_with_the_choices(
    arguments: list[str],
    parts: list[str],
    weights: str,
    tmp_path: Path,
    here: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    if not any(argument.startswith("loss_network") for argument in arguments):
        arguments = [*arguments, weights]
    assert here(*arguments) == 1
    error = capfd.readouterr().err
    assert error.startswith("train.py: ")
    assert error.count("\n") == 1
    assert all(part in error for part in parts), error
    assert {path.name for path in tmp_path.iterdir()} == {"empty.jpg", "text.jpg"}


@pytest.mark.parametrize(
    "name", ["a b.jpg", "(1).jpg", "it's.jpg", "été.jpg", "a=b.jpg", "a,b.jpg", "\\'x.jpg", "${x}.jpg"]
)
def test_any_file_name_reaches_the_settings_as_typed(
    name: str, here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert here(f"style.image={name}") == 1
    assert f"there is none at {name}\n" in capfd.readouterr().err


GROUPS = sorted(path.relative_to(CONFIGS) for path in Path(CONFIGS).glob("*/*.yaml"))


@pytest.mark.parametrize("choice", GROUPS, ids=str)
def test_every_config_composes(choice: Path) -> None:
    if choice.parent.name == "sweep":
        pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    options = [f"{choice.parent}={choice.stem}"]
    options += [] if choice.parent.name == "style" else ["style=starry"]
    options += ["style.image=x.jpg"] if choice.stem == "own" else []
    options += ["data.path=x"] if choice in (Path("data/folder.yaml"), Path("data/hub.yaml")) else []
    settings = composed(options)
    check_terms(settings.loss.weights), architecture_of(settings.network)


def composed(options: list[str]) -> Settings:
    ConfigStore.instance().store("settings", schema())
    with initialize_config_dir(CONFIGS, version_base="1.3"):
        settings = OmegaConf.to_object(compose("train", [quote(option) for option in options]))
    assert isinstance(settings, Settings)
    return settings


@pytest.mark.parametrize("text", ["Sea, night", "it's", "[untitled]", "Rain: a study", "1e5", "true", "${x}", "auto"])
def test_a_text_reaches_the_settings_as_typed_and_is_no_sweep(text: str) -> None:
    assert composed(["style=wave", f"style.title={text}"]).style.title == text
    assert quote(f"style.title={text}", sweep=True) == quote(f"style.title={text}")


def test_names_are_texts_and_may_be_listed() -> None:
    assert composed(["style=wave", "style.name=1e5"]).style.name == "1e5"
    assert composed(["style=wave", "style.title='Sea, night'"]).style.title == "Sea, night"
    assert composed(["style=wave", "style.title=null"]).style.title is None
    assert quote("style.name=a,b", sweep=True) == "style.name='a','b'"


def test_a_weight_is_set_by_its_term() -> None:
    weights = composed(["style=starry", "loss.weights.stability=2"]).loss.weights
    assert weights == {"content": 8.0, "style": 18.0, "sliced": 30.0, "tone": 5.0, "tv": 0.02, "stability": 2.0}


def test_a_run_folder_with_the_old_names_keeps_its_weights(tmp_path: Path) -> None:
    old = {"content_layers": ["relu2_2"], "content_weight": 1.0, "style_weight": 3.0, "calm_weight": 0.5}
    (tmp_path / "config.yaml").write_text(json.dumps({"style": {"image": "x.jpg"}, "loss": old}))
    loss: Any = OmegaConf.to_object(recorded_settings(tmp_path).loss)
    assert loss.weights == {"content": 1.0, "style": 3.0, "sliced": 0.0, "tone": 0.0, "tv": 0.0, "stability": 0.5}
    assert (loss.content_scale, loss.style_scales, loss.balanced) == (1, [1], False)


@pytest.mark.parametrize(("network", "name"), [("full", "starry"), ("small", "starry-small"), ("tiny", "starry-tiny")])
def test_a_smaller_network_has_a_name_of_its_own(network: str, name: str) -> None:
    style = composed(["style=starry", f"network={network}"]).style
    assert style_name(style.image, style.name, style.suffix) == name


def test_a_run_by_minutes_goes_on_with_the_steps_it_counted(
    tmp_path: Path, weights: str, here: Callable[..., int]
) -> None:
    assert here("style=wave", "minutes=0.002", weights, *SMALL) == 0
    (resolved,) = tmp_path.glob("outputs/wave/*/resolved.json")
    steps = json.loads(resolved.read_text())["steps"]
    assert here("style=wave", f"resume={resolved.parent / 'last.ckpt'}", "replace=true") == 0
    assert json.loads(resolved.read_text())["steps"] == steps
    assert read_card(tmp_path / "checkpoints" / "wave.safetensors").facts["training"]["steps"] == steps


def test_a_run_does_not_go_on_with_another_painting(
    tmp_path: Path, weights: str, here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    painting = tmp_path / "mine.png"
    Image.new("RGB", (40, 40), "olive").save(painting)
    assert here("style.image=mine.png", "steps=2", weights, *SMALL) == 0
    Image.new("RGB", (40, 40), "navy").save(painting)
    assert here("style.image=mine.png", "resume=auto") == 1
    assert "resume: the painting changed" in capfd.readouterr().err


def test_one_command_trains_several_styles(tmp_path: Path, weights: str, here: Callable[..., int]) -> None:
    assert here("-m", "style=starry,wave", "steps=2", weights, *SMALL) == 0
    assert {path.stem for path in (tmp_path / "checkpoints").iterdir()} == {"starry", "wave"}


def test_a_network_on_the_shelf_is_replaced_on_request(tmp_path: Path, weights: str, here: Callable[..., int]) -> None:
    for steps, more, kept in ((2, [], 2), (3, [], 2), (3, ["replace=true"], 3)):
        assert here("style=wave", f"steps={steps}", weights, *SMALL, *more) == 0
        assert read_card(tmp_path / "checkpoints" / "wave.safetensors").facts["training"]["steps"] == kept


def test_a_run_starts_from_a_trained_style(tmp_path: Path, weights: str, here: Callable[..., int]) -> None:
    assert here("style=wave", "steps=2", weights, *SMALL) == 0
    assert here("style=scream", "init=wave", "steps=1", "learning_rate=1e-12", weights, *SMALL) == 0
    network, card = read_style(tmp_path / "checkpoints" / "scream.safetensors")
    before = read_style(tmp_path / "checkpoints" / "wave.safetensors")[0].state_dict()
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=1e-9)
    assert card.facts["training"]["init"]["style"] == "wave"


def test_a_short_run_starts_from_the_gallery_or_a_shipped_network_of_another_style() -> None:
    form = architecture_of(composed(["style=wave", "budget=cpu"]).network)
    assert find_init("auto", "wave", form) == StyleReference(SHIPPED / "gallery.safetensors")
    small = architecture_of(composed(["style=wave", "network=small"]).network)
    assert find_init("auto", "wave", small) == StyleReference(SHIPPED / "starry-small.safetensors")
    assert find_base("auto", "wave", form) == StyleReference(SHIPPED / "starry.safetensors")
    assert find_base("auto", "starry", form) == StyleReference(SHIPPED / "scream.safetensors")
    assert find_base("auto", "scream", NetworkSettings(width=3)) is None
    assert [composed(["style=wave", f"budget={budget}"]).init for budget in ("cpu", "gpu")] == ["auto", None]


def test_johnsons_form_trains_and_gradients_accumulate(tmp_path: Path, weights: str, here: Callable[..., int]) -> None:
    options = ["loss=johnson", "trainer.accumulate_grad_batches=2", "style=wave", "steps=3", weights, *SMALL]
    assert here(*options) == 0
    card = read_card(tmp_path / "checkpoints" / "wave.safetensors")
    assert (card.facts["loss"]["form"], card.facts["training"]["steps"]) == ("johnson", 3)


def test_presets_are_the_same_on_the_command_line_and_in_python() -> None:
    for file in Path(CONFIGS, "loss").glob("*.yaml"):
        assert composed(["style=wave", f"loss={file.stem}"]).loss == loss_preset(file.stem)
    for file in Path(CONFIGS, "network").glob("*.yaml"):
        assert composed(["style=wave", f"network={file.stem}"]).network == network_preset(file.stem)


@pytest.mark.parametrize(("given", "taken"), [([], "budget=cpu"), (["budget=gpu"], "budget=gpu")])
def test_the_budget_suits_the_device_unless_one_is_given(
    given: list[str], taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert add_budget(["--cfg", "job", "style=wave", *given])[:2] == ["--cfg", "job"]
    assert taken in add_budget(["--cfg", "job", "style=wave", *given])
    rate = {"budget=cpu": 2e-3, "budget=gpu": 3e-3}[taken]
    assert composed_settings(["style=wave", *given])["learning_rate"] == rate


def test_a_gpu_gets_the_budget_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert composed_settings(["style=wave"])["learning_rate"] == 3e-3
    assert composed_settings(["style=wave", "trainer.accelerator=cpu"])["learning_rate"] == 2e-3
    assert composed_settings(["style=wave", "budget=cpu"])["learning_rate"] == 2e-3


def test_a_run_of_a_smaller_network_is_found_again_by_its_form(
    tmp_path: Path, weights: str, here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert here("style=wave", "network=tiny", "steps=2", weights, *SMALL) == 0
    assert here("style=wave", "network=tiny", "resume=auto") == 0
    (folder,) = (tmp_path / "outputs" / "wave-tiny").iterdir()
    assert here("style=wave", "network=small", f"resume={folder}") == 1
    assert "network=small cannot be set" in capfd.readouterr().err
    assert here(f"resume={folder}", "replace=true") == 0


@pytest.mark.parametrize("arguments", [["style=starry", "--cfg", "job"], ["--cfg", "job", "style=starry"]])
def test_settings_may_stand_on_either_side_of_an_option(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "stylenet", "train", *arguments]
    done = subprocess.run(command, cwd=Path(CONFIGS).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "The Starry Night" in done.stdout
