"""A run that is stopped, or that the system puts something in the way of: what was there stays, one line says it."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from infer_command import ROOT
from PIL import Image
from runs import NOBODY, SMALL, Run, become_nobody

from stylenet.models.style_file import read_card, read_style
from stylenet.training.resume import is_whole, steps_done

QUIET = "logger.sheet_every=1000"
CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture(scope="module")
def style(tiny_vgg_file: Path) -> list[str]:
    return ["style=wave", f"loss_network.weights={tiny_vgg_file}", *SMALL]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(f"outputs/wave/*/{pattern}")
    return found


def error_of(run: Run) -> str:
    """The line that a run ended with; nothing else may follow, and no traceback stand before it."""
    assert "Traceback" not in run.output
    return run.output.strip().splitlines()[-1]


# Signals


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_stop_in_the_preparation_leaves_nothing(work: Path, style: list[str], number: int, code: int) -> None:
    run = Run(work, *style, "style.size=2500", "steps=5")  # the painting takes the loss network a while
    run.wait_for(lambda: "loss network:" in run.output)
    run.send(number)
    assert run.end() == code, run.output
    assert "Traceback" not in run.output
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_stop_while_it_trains_or_draws_keeps_what_was_learned(
    work: Path, style: list[str], number: int, code: int
) -> None:
    run = Run(work, *style, "steps=100000", "logger.sheet_every=1")
    run.wait_for(lambda: list(work.glob("outputs/wave/*/sheets/*.jpg")))
    run.send(number)
    assert run.end() == code, run.output
    assert "held_out" not in only(work, "metrics.csv").read_text()  # no validation comes first
    steps = read_card(only(work, "wave.safetensors")).facts["training"]["steps"]
    assert steps == steps_done(only(work, "last.ckpt")) > 0
    assert run.output.splitlines()[-1].startswith(f"python {ROOT / 'infer.py'} PHOTO -s {work.resolve()}/outputs/wave/")
    assert not (work / "checkpoints").exists()


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_stop_while_it_is_judged_keeps_the_trained_network(
    work: Path, style: list[str], number: int, code: int
) -> None:
    run = Run(work, *style, "network.width=16", "steps=1", QUIET)
    run.wait_for(lambda: "photos: " in run.output)  # said just before
    run.send(number)
    assert run.end() == code, run.output
    assert "Traceback" not in run.output
    assert read_style(only(work, "wave.safetensors"))[1].facts["held_out"] == {}
    assert steps_done(only(work, "last.ckpt")) == 1
    assert not (work / "checkpoints").exists()


def test_a_run_that_is_killed_and_then_stopped_goes_on_to_the_same_end(
    work: Path, style: list[str], tmp_path: Path
) -> None:
    # Two batches to a step: a stop between them has to wait for the second.
    options = [*style, "steps=24", "trainer.accumulate_grad_batches=2", QUIET]
    run = Run(work, *options)
    run.wait_for(lambda: list(work.glob("outputs/wave/*/last.ckpt")))
    run.send(signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    before = only(work, "last.ckpt").stat().st_mtime_ns
    run = Run(work, "style=wave", "resume=auto")
    run.wait_for(lambda: max(path.stat().st_mtime_ns for path in work.glob("outputs/wave/*/*.ckpt")) > before)
    run.send(signal.SIGTERM)
    assert run.end() == 143
    run = Run(work, "style=wave", "resume=auto")
    assert run.end() == 0
    assert ", from step " in run.output
    whole = tmp_path / "whole"
    whole.mkdir()
    assert Run(whole, *options).end() == 0
    assert only(work, "wave.safetensors").read_bytes() == only(whole, "wave.safetensors").read_bytes()


# A disk that is full, or closed


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_checkpoint_that_the_disk_refuses_leaves_the_one_before(work: Path, style: list[str]) -> None:
    run = Run(work, *style, "steps=400", QUIET)
    run.wait_for(lambda: list(work.glob("outputs/wave/*/previous.ckpt")))
    run.send(signal.SIGTERM)
    assert run.end() == 143
    kept = {path: path.read_bytes() for path in only(work, "").iterdir() if path.suffix in (".ckpt", ".safetensors")}
    assert len(kept) == 3
    limit = len(kept[only(work, "last.ckpt")]) // 2
    run = Run(work, "style=wave", "resume=auto", before=partial(limit_files, limit))
    assert run.end() == 1, run.output
    assert error_of(run) == f"train.py: error: {only(work, '').relative_to(work)} cannot be used: File too large"
    assert {path: path.read_bytes() for path in kept} == kept
    assert is_whole(only(work, "last.ckpt"))
    assert not list(work.rglob("*.part"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, text=True)
    if mounting.returncode:
        pytest.skip(f"NOT TESTED, a full disk: this user may mount none ({mounting.stderr.strip()})")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_one_line_and_what_was_there_stays(small_disk: Path, style: list[str]) -> None:
    run = Run(small_disk, *style, "steps=400", "network.width=8", QUIET)
    run.wait_for(lambda: list(small_disk.glob("outputs/wave/*/last.ckpt")))
    used = sum(path.stat().st_size for path in small_disk.rglob("*.ckpt"))
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free - used // 2))
    assert run.end() == 1, run.output
    assert error_of(run).endswith("cannot be used: No space left on device")
    assert is_whole(only(small_disk, "last.ckpt"))
    (small_disk / "filler").unlink()
    run = Run(small_disk, "style=wave", "resume=auto", "replace=true")
    run.wait_for(lambda: ", from step " in run.output)
    run.send(signal.SIGTERM)
    assert run.end() == 143, run.output


def open_to_all(folder: Path) -> bool:
    """Whether any user may go through the folders above it and read it."""
    reached = all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.parents)
    return reached and bool(folder.stat().st_mode & stat.S_IROTH)


@pytest.fixture
def unprivileged(tiny_vgg_file: Path) -> Iterator[tuple[Path, list[str], Callable[[], None] | None]]:
    """A folder, a style and what makes a run one of a user who may not read everything: for root, another user."""
    for needed in (Path(sysconfig.get_path("purelib")), ROOT):
        if os.geteuid() == 0 and not open_to_all(needed):
            pytest.skip(f"root reads everything, and another user cannot read {needed}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        folder.mkdir()
        weights = Path(shutil.copy(tiny_vgg_file, Path(name) / "weights.safetensors"))
        weights.chmod(0o644)
        setting = f"loss_network.weights={weights}"
        root = os.geteuid() == 0
        if root:
            Path(name).chmod(0o755)
            os.chown(folder, NOBODY, NOBODY)
        yield folder, ["style=wave", setting, *SMALL], partial(become_nobody, setting) if root else None


def test_files_and_folders_without_permission_do_no_harm(
    unprivileged: tuple[Path, list[str], Callable[[], None] | None],
) -> None:
    folder, style, before = unprivileged
    photos, published = folder / "photos", folder / "checkpoints"
    photos.mkdir()
    for name in ("a.png", "b.png", "closed.png"):
        Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 50).save(photos / name)
    (photos / "closed.png").chmod(0)
    published.mkdir()
    (published / "other.safetensors").write_bytes(b"other")
    published.chmod(0o555)

    run = Run(folder, *style, "steps=3", "data=folder", f"data.path={photos}", before=before)
    assert run.end() == 0, run.output
    assert "  skipped, no permission: 1 (closed.png)" in run.output
    assert "checkpoints/ cannot be written (Permission denied)" in run.output
    assert f"-s {only(folder, 'wave.safetensors')}" in run.output
    assert [path.read_bytes() for path in published.iterdir()] == [b"other"]

    closed = only(folder, "")
    closed.chmod(0o555)
    run = Run(folder, "style=wave", "resume=auto", before=before)
    assert run.end() == 1
    assert error_of(run).endswith("cannot be used: Permission denied")
    shutil.rmtree(folder / "outputs")
    folder.chmod(0o555)
    run = Run(folder, *style, "steps=3", before=before)
    assert run.end() == 1
    assert "the run folder outputs/wave/" in error_of(run)
    assert error_of(run).endswith("cannot be created: Permission denied")


def test_photos_that_vanish_end_the_run_in_a_line_and_it_goes_on_when_they_are_back(
    work: Path, style: list[str]
) -> None:
    photos = work / "photos"
    photos.mkdir()
    for number in range(3):
        Image.effect_noise((50, 50), 80).convert("RGB").save(photos / f"{number}.png")
    run = Run(work, *style, "steps=400", QUIET, "data=folder", "data.path=photos", "data.memory=0")
    run.wait_for(lambda: list(work.glob("outputs/wave/*/last.ckpt")))
    photos.rename(work / "elsewhere")
    assert run.end() == 1, run.output
    assert error_of(run) == f"train.py: error: data.path={photos} has vanished; resume the run when it is back"
    assert is_whole(only(work, "last.ckpt"))
    again = Run(work, "style=wave", "resume=auto")
    assert again.end() == 1
    assert error_of(again) == "train.py: error: data.path=photos is not a folder"
    (work / "elsewhere").rename(photos)
    run = Run(work, "style=wave", "resume=auto")
    run.wait_for(lambda: ", from step " in run.output)
    run.send(signal.SIGTERM)
    assert run.end() == 143
