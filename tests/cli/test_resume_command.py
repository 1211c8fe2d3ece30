"""`train.py resume=…` from another folder, with a painting that was moved, and with other settings."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from runs import SMALL

Train = Callable[..., int]


@pytest.fixture
def work(tmp_path: Path, here: Train, tiny_vgg_file: Path) -> Path:
    """A folder with a short run on a painting and photos of one's own, all by relative names."""
    Image.effect_noise((40, 40), 80).convert("RGB").save(tmp_path / "a.jpg")
    (tmp_path / "photos").mkdir()
    for number in range(2):
        Image.effect_noise((40, 40), 50 + number).convert("RGB").save(tmp_path / f"photos/{number}.png")
    shutil.copy(tiny_vgg_file, tmp_path / "vgg.safetensors")
    photos = ["data=folder", "data.path=photos", "loss_network.weights=vgg.safetensors"]
    assert here("style.image=a.jpg", "network=tiny", *photos, "steps=2", "init=null", *SMALL) == 0
    return tmp_path


def folder_of(work: Path) -> Path:
    (folder,) = (work / "outputs/a-tiny").iterdir()
    return folder


def test_a_run_is_resumed_from_another_folder_after_its_painting_was_renamed(
    work: Path, here: Train, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from stylenet.cli.main import run_command

    (work / "a.jpg").rename(work / "renamed.jpg")
    (work / "elsewhere").mkdir()
    monkeypatch.chdir(work / "elsewhere")
    assert run_command("train", [f"resume={folder_of(work)}"]) == 0
    assert run_command("train", [f"resume={folder_of(work)}", f"style.image={work / 'renamed.jpg'}"]) == 0
    assert capfd.readouterr().err == ""


def test_auto_finds_the_newest_run_whatever_its_network_and_says_which(
    work: Path, here: Train, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (work / "a.jpg").rename(work / "b.jpg")
    caplog.set_level("INFO")
    for typed in (["style.image=b.jpg"], [], ["style.image=b.jpg", "network=tiny"]):
        assert here(*typed, "resume=auto") == 0
        assert f"resume: continues {folder_of(work).relative_to(work)}" in caplog.messages
        caplog.clear()
    assert here("style.image=b.jpg", "network=small", "resume=auto") == 1
    assert "resume: no run of b-small in outputs; there are runs of: a-tiny" in capfd.readouterr().err


def test_a_setting_that_would_have_no_effect_is_refused(
    work: Path, here: Train, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.effect_noise((40, 40), 20).convert("RGB").save(work / "other.jpg")
    for setting, reason in {
        "style.image=other.jpg": "resume: the painting changed since the run in",
        "style=wave": "resume: the painting changed since the run in",
        "budget=gpu": "budget=gpu cannot be set",
        "seed=3": "seed=3 cannot be set",
    }.items():
        assert here(f"resume={folder_of(work)}", setting) == 1
        assert reason in capfd.readouterr().err


def test_a_run_of_an_older_version_takes_its_painting_from_the_command_line(work: Path, here: Train) -> None:
    for path in [*folder_of(work).glob("painting.*"), folder_of(work) / "files.json"]:
        path.unlink()
    (work / "a.jpg").rename(work / "renamed.jpg")
    assert here(f"resume={folder_of(work)}") == 1
    assert here(f"resume={folder_of(work)}", "style.image=renamed.jpg") == 0
    assert here(f"resume={folder_of(work)}") == 0


def test_files_that_were_moved_and_trackers_can_be_given_anew(
    work: Path, here: Train, capfd: pytest.CaptureFixture[str]
) -> None:
    (work / "moved").mkdir()
    (work / "photos").rename(work / "moved/photos")
    (work / "vgg.safetensors").rename(work / "moved/vgg.safetensors")
    (work / "moved/photos").rename(work / "moved/renamed")
    moved = ["data.path=moved/renamed", "loss_network.weights=moved/vgg.safetensors"]
    assert here("resume=auto", *moved, "logger=csv") == 0
    assert here("resume=auto") == 0  # as they are recorded now
    assert capfd.readouterr().err == ""
    (work / "moved/renamed/0.png").unlink()
    assert here("resume=auto", *moved) == 1
    assert "resume: the photos changed since the run began" in capfd.readouterr().err


def test_a_mistyped_folder_of_photos_forgets_nothing(
    work: Path, here: Train, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder_of(work) / "files.json").read_bytes()
    assert here("resume=auto", "data.path=fotos") == 1
    assert (folder_of(work) / "files.json").read_bytes() == before
    (work / "elsewhere").mkdir()
    monkeypatch.chdir(work / "elsewhere")
    assert here(f"resume={folder_of(work)}") == 0


@pytest.mark.parametrize("setting", ["data.path", "resume", "styles", "add_to", "init", "loss_network.weights"])
def test_an_empty_name_is_not_taken_for_none(here: Train, capfd: pytest.CaptureFixture[str], setting: str) -> None:
    assert here("style=wave", f"{setting}=") == 1
    assert f"{setting} is empty" in capfd.readouterr().err
