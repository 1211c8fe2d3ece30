"""Which run goes on, from which checkpoint; what a torn or half-written file does to that."""

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from filelock import FileLock
from run_folders import make_run
from runs import SMALL, Run

from stylenet.data.settings import PhotoSettings
from stylenet.errors import UserError
from stylenet.models.style_file import read_card
from stylenet.training.callbacks.checkpoints import WholeCheckpoints
from stylenet.training.recorded_files import keep_inputs, read_files, with_recorded_files, write_files
from stylenet.training.resume import Start, Wanted, find_start, is_whole, newest_whole, steps_done
from stylenet.training.run_folder import (
    disk_errors,
    lock_folder,
    new_run_folder,
    read_resolved,
)
from stylenet.training.settings import LossNetwork, Settings, Style

QUIET = "logger.sheet_every=1000"


@pytest.fixture(scope="module")
def style(tiny_vgg_file: Path) -> list[str]:
    return ["style=wave", f"loss_network.weights={tiny_vgg_file}", *SMALL, QUIET]


def checkpoint(path: Path, step: int, when: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"global_step": step, "weights": torch.rand(5000)}, path)
    (path.parent / "resolved.json").write_text("{}")
    for file in (path, path.parent / "resolved.json"):
        os.utime(file, (when, when))
    return path


# One checkpoint


def test_a_checkpoint_is_torn_wherever_it_is_cut_or_overwritten(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "last.ckpt", 3)
    whole = path.read_bytes()
    assert is_whole(path)
    assert steps_done(path) == 3
    for place in range(0, len(whole), 997):
        path.write_bytes(whole[:place])
        assert not is_whole(path), f"cut at {place}"
    (weights,) = (entry for entry in ZipFile(checkpoint(path, 3)).infolist() if entry.file_size == 20_000)
    for place in range(weights.header_offset + 200, weights.header_offset + 20_000, 997):
        path.write_bytes(whole[:place] + bytes(64) + whole[place + 64 :])
        assert not is_whole(path), f"nothing but zeros at {place}"
    assert not is_whole(tmp_path / "missing.ckpt")


def test_the_checkpoint_before_is_kept_and_a_torn_one_never_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    for step in (1, 2, 3):
        WholeCheckpoints().save_checkpoint({"global_step": step}, path)
    assert (steps_done(path), steps_done(tmp_path / "previous.ckpt")) == (3, 2)
    path.write_bytes(path.read_bytes()[:-9])
    WholeCheckpoints().save_checkpoint({"global_step": 4}, path)
    assert (steps_done(path), steps_done(tmp_path / "previous.ckpt")) == (4, 2)
    assert {file.name for file in tmp_path.iterdir()} == {"last.ckpt", "previous.ckpt"}


def test_for_a_torn_checkpoint_stands_the_one_before_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last, previous = checkpoint(tmp_path / "last.ckpt", 4), checkpoint(tmp_path / "previous.ckpt", 2)
    assert newest_whole(tmp_path) == last
    last.write_bytes(last.read_bytes()[:1000])
    assert newest_whole(tmp_path) == previous
    assert caplog.messages == [f"{last} is corrupt and will not be used"]
    previous.write_bytes(b"")
    assert newest_whole(tmp_path) is None


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "b")
    assert is_whole(tmp_path / "a.zip")
    with pytest.raises(UserError, match=r"a.zip is not a checkpoint of a run"):
        steps_done(tmp_path / "a.zip")


# Which run

WAVE = Wanted("wave")


def test_auto_takes_the_run_that_lived_last_and_none_that_is_going(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = Path("outputs/wave")
    with pytest.raises(UserError, match=r"resume: no run of wave in outputs$"):
        find_start("auto", WAVE)
    older, newer = checkpoint(runs / "b/last.ckpt", 9, when=100), checkpoint(runs / "a/last.ckpt", 1, when=200)
    (runs / "c").mkdir()  # killed before it had decided anything
    checkpoint(Path("outputs/scream/d/last.ckpt"), 5, when=300)
    assert find_start("auto", WAVE) == Start(runs / "a", newer)
    with FileLock(runs / "a" / ".lock"):
        assert find_start("auto", WAVE) == Start(runs / "b", older)
        with pytest.raises(UserError, match="is still running"), lock_folder(runs / "a"):
            pass
    newer.unlink()
    os.utime(runs / "a" / "resolved.json", (300, 300))
    assert find_start("auto", WAVE) == Start(runs / "a", None)


def test_auto_prefers_the_very_painting_and_a_run_that_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    wave = Wanted("wave", "ab")
    stopped = make_run(Path("outputs/wave/1"), finished=False)
    finished, other = make_run(Path("outputs/wave/2")), make_run(Path("outputs/wave/3"), finished=False)
    for when, folder in enumerate((stopped, finished, other)):
        painting = "cd" if folder == other else "ab"
        (folder / "resolved.json").write_text(json.dumps({"inputs": {"painting": painting}}))
        os.utime(folder / "resolved.json", (when, when))
    assert find_start("auto", WAVE).folder == other
    assert find_start("auto", wave).folder == stopped
    assert not caplog.messages
    shutil.rmtree(stopped)
    assert find_start("auto", wave).folder == finished
    assert caplog.messages == ["resume: no run of wave was stopped; the newest that is finished is taken"]


def test_a_run_of_an_older_version_is_found_by_the_old_name_of_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    last = checkpoint(Path("outputs/wave/a/last.ckpt"), 4)
    (last.parent / "resolved.json").unlink()
    (last.parent / "decisions.json").write_text('{"steps": 9}')
    assert find_start("auto", WAVE) == find_start(str(last), WAVE) == Start(last.parent, last)
    assert read_resolved(last.parent) == {"steps": 9}


def test_a_path_may_be_a_run_folder_or_one_of_its_checkpoints(tmp_path: Path) -> None:
    last, previous = checkpoint(tmp_path / "last.ckpt", 4), checkpoint(tmp_path / "previous.ckpt", 2)
    assert find_start(str(tmp_path), Wanted()) == find_start(str(last), Wanted()) == Start(tmp_path, last)
    assert find_start(str(previous), Wanted()) == Start(tmp_path, previous)
    last.unlink()  # as between the two renames
    assert find_start(str(last), Wanted()) == Start(tmp_path, previous)
    with pytest.raises(UserError, match="resume: no checkpoint at"):
        find_start(str(tmp_path / "other.ckpt"), Wanted())


def test_a_claim_clears_away_what_a_killed_run_was_writing(tmp_path: Path) -> None:
    (tmp_path / ".0123456789abcdef.part").write_bytes(b"half")
    with lock_folder(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_the_system_refuses_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{tmp_path} cannot be used: Is a directory"), disk_errors():
        tmp_path.read_bytes()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # from a write: the system names no file
    with pytest.raises(UserError, match=r"^outputs/a cannot be used: No space left"), disk_errors("outputs/a"):
        raise full


def test_a_key_word_or_a_folder_is_not_recorded_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("auto", "torchvision", "starry"):
        (tmp_path / name).mkdir()
    (tmp_path / "wave").touch()  # a style of that name comes first
    (tmp_path / "vgg.pth").touch()
    photos = PhotoSettings("folder", "starry")
    for weights, init in (("auto", "wave"), ("torchvision", "auto"), ("vgg.pth", None)):
        folder = tmp_path / f"outputs/{weights}"
        given = {"batch": 1, "crop": 32, "learning_rate": 1e-3, "init": init}
        settings = Settings(Style("none.jpg"), photos, loss_network=LossNetwork(weights=weights), **given)
        keep_inputs(folder, settings)
        recorded = {"data.path": str(tmp_path / "starry")}
        recorded |= {"loss_network.weights": str(tmp_path / "vgg.pth")} if weights == "vgg.pth" else {}
        assert read_files(folder) == recorded
    write_files(folder, {"loss_network.weights": str(tmp_path / "auto")})  # of an older version
    kept = with_recorded_files(replace(settings, loss_network=LossNetwork()), folder)
    assert kept.loss_network.weights == "auto"


def test_a_folder_for_runs_that_is_not_mounted_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("outputs").symlink_to("nowhere/outputs")
    with pytest.raises(UserError, match=r"the run folder outputs/wave/.* cannot be created: File exists"):
        new_run_folder("wave")
    Path("outputs").unlink()
    assert len({new_run_folder("wave") for _ in range(3)}) == 3


# Whole runs


def test_a_run_goes_on_from_its_beginning_or_from_the_checkpoint_before_to_the_same_end(
    tmp_path: Path, style: list[str], here: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert here(*style, "steps=6", "trainer.accumulate_grad_batches=2") == 0
    (folder,) = tmp_path.glob("outputs/wave/*")
    expected = (folder / "wave.safetensors").read_bytes()

    last, previous = folder / "last.ckpt", folder / "previous.ckpt"
    kept = [(checkpoint, checkpoint.read_bytes()) for checkpoint in (last, previous)]
    for wreck, said in (
        (lambda: last.write_bytes(last.read_bytes()[:5000]), "from step"),
        (lambda: [last.unlink(), previous.unlink()], "again from the beginning"),
        (lambda: None, "all 6 steps were done already"),
    ):
        for path, data in kept:
            path.write_bytes(data)
        wreck()
        (folder / "wave.safetensors").unlink()
        caplog.clear()
        assert here("style=wave", "resume=auto") == 0
        assert (folder / "wave.safetensors").read_bytes() == expected
        assert any(said in message for message in caplog.messages), caplog.messages
        assert ("starts from random weights" in caplog.messages) == (said == "again from the beginning")


def test_a_start_from_another_style_is_repeated_only_from_that_very_style(
    tmp_path: Path, style: list[str], here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert here(*style, "steps=1") == 0
    assert here(*style, "steps=1", "init=wave", "style.name=second", "replace=true") == 0
    (folder,) = tmp_path.glob("outputs/second/*")
    expected = (folder / "second.safetensors").read_bytes()
    for checkpoint in folder.glob("*.ckpt"):
        checkpoint.unlink()
    assert here("style=wave", f"resume={folder}") == 0
    assert (folder / "second.safetensors").read_bytes() == expected

    shutil.copy(folder / "second.safetensors", tmp_path / "checkpoints" / "wave.safetensors")
    assert here("style=wave", f"resume={folder}") == 0  # from its checkpoint
    for checkpoint in folder.glob("*.ckpt"):
        checkpoint.unlink()
    assert here("style=wave", f"resume={folder}") == 1
    assert "resume: the network to start from changed since the run began" in capfd.readouterr().err


def test_two_runs_of_a_style_at_once_keep_apart(tmp_path: Path, style: list[str]) -> None:
    tmp_path = tmp_path / "both"
    tmp_path.mkdir()
    runs = [Run(tmp_path, *style, f"steps={steps}", "replace=true") for steps in (4, 5)]
    assert [run.end() for run in runs] == [0, 0]
    folders = list(tmp_path.glob("outputs/wave/*"))
    steps = {read_card(folder / "wave.safetensors").facts["training"]["steps"] for folder in folders}
    assert (len(folders), steps) == (2, {4, 5})
    published = tmp_path / "checkpoints" / "wave.safetensors"
    assert published.read_bytes() in [(folder / "wave.safetensors").read_bytes() for folder in folders]
    assert [path.name for path in published.parent.iterdir()] == ["wave.safetensors"]
