"""What the inputs of `infer.py` mean: nothing is left out, or taken, without a line."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from infer_command import Run, names, picture


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["*.txt"], "no image or video matches *.txt (.3gp, "),
        (["photo.png", "*.txt"], "no image or video matches *.txt (.3gp, "),
        (["emp*"], "no image or video matches emp* (.3gp, "),
        ([""], "the name of an input is empty"),
        (["photo.png", "-o", ""], "the name of the output is empty"),
    ],
)
def test_a_name_that_means_no_image_is_an_error(call: Run, folder: Path, arguments: list[str], reason: str) -> None:
    (folder / "notes.txt").touch()
    (folder / "empty").mkdir()
    before = names(folder)
    code, out, err = call(*arguments, "-s", "night")
    assert (code, out, len(err)) == (1, [], 1)
    assert reason in err[0]
    assert names(folder) == before


def closed(folder: Path, scandir: Callable[[str], object]) -> Callable[[str], object]:
    """`os.scandir` where this folder may not be read (root may read every one)."""

    def scan(path: str) -> object:
        if os.path.abspath(path) == str(folder):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    return scan


@pytest.mark.parametrize("pattern", ["in", "i*"])
def test_a_folder_that_cannot_be_read_is_a_line_and_a_failure(
    call: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    for name in ("in/a.png", "in/private/b.png", "in/z/c.png"):
        picture(folder / name)
    monkeypatch.setattr(os, "scandir", closed(folder / "in/private", os.scandir))
    code, out, err = call(pattern, "-s", "night", "-o", "out")
    assert (code, err) == (1, ["infer.py: in/private: Permission denied"])
    assert out[-1].startswith("2 images, 1 failed; ")


@pytest.mark.parametrize("pattern", ["pics/*", "pics/**", "pics/*/*.png", "p*/*", "**/*.png"])
def test_a_glob_does_not_take_an_earlier_runs_results(call: Run, folder: Path, pattern: str) -> None:
    for name in ("pics/a.png", "pics/deep/b.png"):
        picture(folder / name)
    for style in ("night", "night", "checkpoints/night.safetensors"):
        assert call(pattern, "-s", style, "-o", "pics/styled")[0] == 0
    assert all(name.count("-night") == 1 for name in names(folder) if "styled" in name)


def test_shards_of_a_glob_are_together_everything(call: Run, folder: Path) -> None:
    for number in range(4):
        picture(folder / f"pics/{number}.png")
    for shard in ("1/2", "2/2"):
        assert call("pics/*", "-s", "night", "-o", "pics/styled", "--shard", shard)[0] == 0
    made = [name for name in names(folder) if name.startswith("pics/styled/")]
    assert made == [f"pics/styled/{number}-night.png" for number in range(4)]


def test_a_glob_with_results_in_its_own_folder_takes_its_images(call: Run, folder: Path) -> None:
    picture(folder / "pics/a.png")
    assert call("pics/*.png", "-s", "night", "-o", "pics")[0] == 0
    assert names(folder / "pics") == ["a-night.png", "a.png"]


def test_a_shard_with_results_beside_its_images_is_refused(call: Run, folder: Path) -> None:
    picture(folder / "pics/a.png")
    code, _, err = call("pics", "-s", "night", "-o", "pics", "--shard", "1/2")
    assert (code, "--shard needs -o" in err[0]) == (1, True)
