"""Training from Python: public names, a run of plain settings, a machine without the command line's packages."""

import math
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import stylenet
from stylenet.data import unit_photos
from stylenet.data.settings import PhotoSettings
from stylenet.disk import file_sha256
from stylenet.errors import UserError
from stylenet.losses.settings import LossSettings
from stylenet.models.limits import MOST_BLACK
from stylenet.models.luminance import darkest_luminance
from stylenet.models.style_file import read_style
from stylenet.training import run as runs
from stylenet.training.checks import validate
from stylenet.training.limits import check_values
from stylenet.training.resume import Start
from stylenet.training.resumed_settings import resumed_settings
from stylenet.training.run import RunResult, train
from stylenet.training.run_folder import write_resolved, write_settings
from stylenet.training.settings import (
    Length,
    Logging,
    LossNetwork,
    Network,
    Settings,
    Style,
    plain,
    style_settings,
    upgrade_settings,
    with_budget,
)

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = [np.random.default_rng(number).integers(0, 256, (40, 48, 3), dtype=np.uint8) for number in range(3)]


def small(weights: Path) -> Settings:
    """A run of seconds on the painting in the working directory."""
    return Settings(
        style=Style(image="painting.png", size=32),
        network=Network(width=4, blocks=1),
        loss_network=LossNetwork(weights=str(weights)),
        loss=LossSettings(["relu1_2"], ["relu1_1"]),
        logger=Logging(wandb=False),
        batch=2,
        crop=32,
        learning_rate=2e-3,
        steps=2,
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a painting."""
    Image.new("RGB", (48, 40), "olive").save(tmp_path / "painting.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_public_names_are_there() -> None:
    assert all(hasattr(stylenet, name) for name in stylenet.__all__)
    assert stylenet.train is train


def test_scales_that_a_small_crop_cannot_use_are_named(
    place: Path, tiny_vgg_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = small(tiny_vgg_file)
    validate(settings)
    assert "style_scales" not in caplog.text
    validate(replace(settings, loss=LossSettings(["relu1_2"], ["relu1_1"], style_scales=[1, 2, 4])))
    assert "loss.style_scales: 4 not used with crop=32 and style.size=32" in caplog.messages


def test_a_run_from_python_returns_its_style_file_and_figures(place: Path, tiny_vgg_file: Path) -> None:
    result = train(small(tiny_vgg_file), PHOTOS, learning_rate=1e-3)
    assert (result.style, result.exit_code) == ("painting", 0)
    assert {"held_out/content", "held_out/style_ratio", "loss/total", "loss/stability"} <= set(result.metrics)
    network, card = read_style(result.style_file)
    assert (network.settings.width, card.facts["training"]["steps"]) == (4, 2)
    assert card.facts["photos"][0].startswith("3 arrays, sha256 ")
    assert (place / "checkpoints" / "painting.safetensors").is_file()
    again = train(small(tiny_vgg_file), PHOTOS, learning_rate=1e-3)
    assert again.style == str(again.style_file)


@pytest.mark.parametrize(("wanted", "least", "most"), [(None, 1, MOST_BLACK), (0, 0, 0), (7, 7, 7)])
def test_a_networks_black_is_measured_at_the_end_unless_it_is_given(
    wanted: int | None, least: int, most: int, place: Path, tiny_vgg_file: Path
) -> None:
    settings = small(tiny_vgg_file)
    settings.network.black = wanted
    file = train(settings).style_file
    network, card = read_style(file)
    assert least <= card.network.black <= most
    assert network.settings == card.network
    if wanted is None:  # as measured of the network without it
        network.settings = replace(card.network, black=0)
        assert abs(darkest_luminance(network, unit_photos()) - card.network.black) <= 1  # weights are fp16 in the file


def test_a_run_of_before_is_resumed_without_a_black() -> None:
    of_before = upgrade_settings({"network": {"width": 4}})
    assert of_before["network"]["black"] == 0
    assert upgrade_settings({"network": {"black": None}})["network"]["black"] is None


def test_a_painting_is_named_or_a_file_and_a_budget_suits_the_device() -> None:
    assert style_settings("starry").artist == "Vincent van Gogh"
    assert style_settings("my painting.jpg") == Style(image="my painting.jpg")
    on_cpu, on_gpu = (with_budget(Settings(batch=3), on_gpu) for on_gpu in (False, True))
    assert (on_cpu.batch, on_cpu.crop, on_cpu.budget.minutes) == (3, 256, 8)
    assert (on_gpu.learning_rate, on_gpu.budget.steps) == (3e-3, 10000)


def test_a_painting_alone_starts_as_the_program_does(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(settings: Settings, *_: object) -> RunResult:
        raise UserError(f"from {settings.init}")

    monkeypatch.setattr(runs, "lead", stopped)
    given = {"batch": 1, "crop": 32, "learning_rate": 1e-3, "trainer": {"accelerator": "cpu"}}
    with pytest.raises(UserError, match="from auto"):
        train("painting.png", **given)
    with pytest.raises(UserError, match="from None"):
        train("painting.png", **given, init=None)
    with pytest.raises(UserError, match="from None"):
        train(Settings(style=Style(image="painting.png"), **given))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": Length(10000, 5.0)}, "the length in budget is steps or minutes, got both: 10000 and 5.0"),
        ({"budget": Length(-1)}, "budget.steps must be at least 1, got -1"),
        ({"budget": Length(None, math.inf)}, "budget.minutes must be more than 0, and finite, got inf"),
        ({"minutes": 1e300}, "minutes must be at most 1000000, got 1e"),
        ({"flat_areas": 30.0}, "flat_areas must be at most 1, got 30"),
        ({"flat_areas": math.nan}, "flat_areas must be at least 0, got nan"),
        ({"seed": 2**63}, "seed must be at most 9223372036854775807, got"),
        ({"crop": 10**6}, "crop must be at most 16384, got"),
        ({"data": PhotoSettings(size=10**6)}, "data.size must be at most 16384, got"),
        ({"style": Style("painting.png", size=10**6)}, "style.size must be at most 16384, got"),
        ({"logger": Logging(sheet_every=-5)}, "logger.sheet_every must be at least 1, got -5"),
    ],
)
def test_a_number_that_no_run_can_use_is_refused(changes: dict[str, Any], message: str, tiny_vgg_file: Path) -> None:
    settings = replace(small(tiny_vgg_file), learning_rate=1e-3)
    check_values(settings)
    with pytest.raises(UserError, match=re.escape(message)):
        check_values(replace(settings, **changes))


MISTAKES = """
from stylenet import UserError, train
from stylenet.training.settings import Network, Settings, Style
for painting, changes in [
    ("wave", {"network": "tiny"}), ("wave", {"loss": {"form": "johnson"}}), ("wave", {"steps": "5"}),
    ("wave", {"steps": 2.5}), ("wave", {"style": Style(image="a.jpg", size="4")}), ("wave", {"seed": None}),
    ("wave", {"trainer": "ddp"}), ("wave", {"replace": "yes"}), ("wave", {"flat_areas": True}), (5, {}),
    (Settings(style=Style(image="a.jpg")), {"data": "photos"}),
    ("wave", {"learningrate": 1}), ("wave", {"resume": "auto"}), ("wave", {"styles": "paintings"}),
    ("wave", {"network": Network(architecture="conditional")}), (None, {}),
]:
    try:
        train(painting, **changes)
    except UserError as error:
        print(error)
"""
SAID = """network must be of the class stylenet.training.settings.Network, got 'tiny'
loss must be of the class stylenet.losses.settings.LossSettings, got {'form': 'johnson'}
steps must be a whole number or None, got '5'
steps must be a whole number or None, got 2.5
style.size must be a whole number, got '4'
seed must be a whole number, got None
trainer must be a dict, got 'ddp'
replace must be True or False, got 'yes'
flat_areas must be a number, got True
settings must be Settings or a painting's name or file, got 5
data must be of the class stylenet.data.settings.PhotoSettings, got 'photos'
there is no setting learningrate; there is: learning_rate
resume= is for the command line; in Python, start= resumes a run
styles=paintings trains on all paintings of a folder and excludes style.image=
a conditional network learns many paintings: styles=DIR
no painting: it is an image file, or one of configs/style/
"""


def test_a_mistake_is_said_with_its_setting() -> None:
    """In a process of its own, as types of all arguments are checked in this one."""
    result = subprocess.run([sys.executable, "-c", MISTAKES], capture_output=True, text=True, timeout=200)
    assert result.stdout == SAID, result.stderr


def test_many_paintings_are_learned_from_python_as_well(place: Path, tiny_vgg_file: Path) -> None:
    (place / "paintings").mkdir()
    for name in ("night", "sea"):
        Image.effect_noise((48, 40), 80).convert("RGB").save(place / "paintings" / f"{name}.png")
    settings = replace(small(tiny_vgg_file), style=Style(size=32), trainer={"accelerator": "cpu"})
    result = train(settings, PHOTOS, styles=place / "paintings")
    assert (result.style, result.exit_code) == ("gallery#night", 0)
    further = train(replace(settings, style=Style("painting.png", size=32)), PHOTOS, add_to=result.style_file)
    assert further.style.endswith("#painting")


def test_paths_and_numbers_of_numpy_are_settings_as_well(tiny_vgg_file: Path) -> None:
    given: Any = small(tiny_vgg_file)
    given.init, given.data.path, given.loss_network.weights = Path("first.pth"), Path("photos"), tiny_vgg_file
    given.trainer, given.learning_rate = {"default": [Path("x")]}, np.float64(1e-3)
    written = yaml.safe_load(yaml.safe_dump(asdict(plain(given))))
    assert (written["init"], written["data"]["path"], written["learning_rate"]) == ("first.pth", "photos", 1e-3)
    assert (written["loss_network"]["weights"], written["trainer"]) == (str(tiny_vgg_file), {"default": ["x"]})


def test_a_run_is_resumed_with_its_own_painting_and_settings_only(place: Path, tiny_vgg_file: Path) -> None:
    recorded = replace(small(tiny_vgg_file), learning_rate=1e-3)
    start = Start(place / "run", None)
    start.folder.mkdir()
    write_settings(start.folder, asdict(recorded))
    write_resolved(start.folder, {"steps": 2, "inputs": {"painting": file_sha256(place / "painting.png")}})
    Image.new("RGB", (48, 40), "navy").save(place / "b.png")
    with pytest.raises(UserError, match=r"the painting changed since the run in .* began: b.png is another image"):
        train("b.png", PHOTOS, start=start)
    for changes in ({"steps": 3}, {"style": Style(image="painting.png", size=40)}, {"minutes": 1.0}):
        with pytest.raises(UserError, match=f"uses the settings of that run, so {next(iter(changes))} cannot be set"):
            train("painting.png", PHOTOS, start=start, **changes)
    with pytest.raises(UserError, match="so learning_rate cannot be set"):
        train(small(tiny_vgg_file), PHOTOS, start=start)

    def resumed(asked: Settings | str, **changes: object) -> dict[str, object]:
        return upgrade_settings(asdict(resumed_settings(start.folder, asked, changes)))

    expected = upgrade_settings(asdict(recorded))
    assert resumed(small(tiny_vgg_file), learning_rate=1e-3) == expected
    (place / "painting.png").rename(place / "moved.png")
    assert resumed("painting.png") == expected
    assert resumed("moved.png", replace=True) == {**expected, "replace": True}


def test_out_of_memory_is_one_line_that_names_batch_and_crop(
    place: Path, tiny_vgg_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> RunResult:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(runs, "fit", full)
    with pytest.raises(UserError, match="out of memory: a batch of 2 at a crop of 32 px does not fit"):
        train(small(tiny_vgg_file), PHOTOS, learning_rate=1e-3)


LACKING = ("hydra", "omegaconf", "antlr4", "wandb", "datasets", "av")
WITHOUT = f"""
import sys
from importlib.metadata import PackageNotFoundError
import importlib.metadata as metadata

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {LACKING!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
known = metadata.version
def version(name):
    if name in ("datasets", "torchvision", "hydra-core"):
        raise PackageNotFoundError(name)
    return known(name)
metadata.version = version

sys.path.insert(0, {str(ROOT / "tests/training")!r})
from pathlib import Path
from test_library import PHOTOS, small
from stylenet import train
result = train(small(Path(sys.argv[1])), PHOTOS, learning_rate=1e-3)
assert result.metrics["held_out/style_ratio"] > 0
result = train(small(Path(sys.argv[1])), learning_rate=1e-3)  # the built-in sample
assert not set({LACKING!r}) & set(sys.modules)
print("trained", result.style_file.name)
"""


def test_training_needs_none_of_the_command_lines_packages(place: Path, tiny_vgg_file: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WITHOUT, str(tiny_vgg_file)]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "trained painting.safetensors"


@pytest.mark.parametrize("page", ["README.md", "docs/training.md"])
def test_the_five_lines_in_the_documentation_train(
    page: str, place: Path, tiny_vgg_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lines,) = re.findall(r"```python\n(from stylenet import [^\n]*train.*?)```", (ROOT / page).read_text(), re.S)
    lines = lines.replace("minutes=30", "steps=2")
    assert len(lines.splitlines()) <= 5
    for number, photo in enumerate(PHOTOS):
        (place / "photos").mkdir(exist_ok=True)
        Image.fromarray(photo).save(place / "photos" / f"{number}.png")
    defaults = small(tiny_vgg_file)

    class Suited:
        """Settings of a run of seconds, where `train` would take the defaults."""

        def __new__(cls, style: Style) -> Settings:  # type: ignore[misc]
            return replace(defaults, style=style, steps=None)

    monkeypatch.setattr(runs, "Settings", Suited)
    values: dict[str, object] = {}
    exec(lines, values)  # noqa: S102
    assert isinstance(values["result"], RunResult)
