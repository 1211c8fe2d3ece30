"""What the inputs of `infer.py` mean: nothing is left out, or taken, without a line."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from infer_command import ROOT, Run, names, picture


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


def test_results_beside_their_images_are_no_inputs(call: Run, folder: Path) -> None:
    for name in ("in/a.png", "in/day-night.png", "in/b-dawn.png"):
        picture(folder / name)
    before = names(folder / "in")
    for _ in range(2):
        code, out, err = call("in", "-s", "night")
        assert (code, err, out[-1].startswith("3 images; ")) == (0, [], True)
    made = ["a-night.png", "b-dawn-night.png", "day-night-night.png"]
    assert names(folder / "in") == sorted([*before, *made])
    code, _, err = call("in", "-s", "night:1", "-s", "night:3")
    line = "infer.py: results of earlier runs are no inputs unless they are named: in/a-night.png and 2 more"
    assert (code, err) == (0, [line])
    assert names(folder / "in") == sorted(
        [*before, *made, *(name.replace("-night.", "-night+night.") for name in made)]
    )
    for name in ("in/a-preview-my.png", "in/sub/a-preview-my.png"):  # beside no a.png
        picture(folder / name)
    assert call("in", "-s", "night", "--skip-existing")[0] == 0
    assert (folder / "in/sub/a-preview-my-night.png").exists()
    assert not (folder / "in/a-preview-my-night.png").exists()
    assert call("in/a-night.png", "-s", "night")[0] == 0
    assert (folder / "in/a-night-night.png").exists()


def test_an_image_named_beside_its_result_says_how_to_go_on(call: Run, folder: Path) -> None:
    picture(folder / "photo-night.png")
    code, _, (line,) = call("photo.png", "photo-night.png", "-s", "night")
    assert code == 1
    assert line.endswith("; choose another output with -o, or leave out earlier results with --skip-existing")


def test_an_empty_folder_among_others_is_a_line(call: Run, folder: Path) -> None:
    (folder / "empty").mkdir()
    code, _, (line,) = call("empty", "photo.png", "-s", "night")
    assert (code, line.startswith("infer.py: folder empty has no images or videos (")) == (0, True)
    code, _, (line,) = call("empty", "-s", "night")
    assert (code, line.startswith("infer.py: error: folder empty has no images or videos (")) == (1, True)


def test_the_output_folder_among_the_inputs_is_a_line(call: Run, folder: Path) -> None:
    for _ in range(2):
        (folder / "styled").mkdir(exist_ok=True)
        code, _, err = call("photo.png", "styled", "-s", "night", "-o", "styled")
        assert (code, err) == (0, ["infer.py: styled is the output folder, and left out of the inputs"])
    assert names(folder / "styled") == ["photo-night.png"]


@pytest.mark.parametrize(
    ("redirection", "line"),
    [
        ("- <&-", "infer.py: error: standard input is closed"),
        ("--raw 32x32 <&-", "infer.py: error: standard input is closed"),
        ("photo.png -o - >&-", "infer.py: error: standard output is closed"),
        ("photo.png photo.bmp >/dev/full", "infer.py: standard output cannot be written: No space left on device"),
        ("--list >/dev/full", "infer.py: error: standard output or the disk cannot be used: No space left on device"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_stream_that_is_closed_or_full_is_one_line(
    folder: Path, redirection: str, line: str, unbuffered: str
) -> None:
    picture(folder / "photo.bmp")
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'infer.py'))} -s night {redirection}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    if "bmp" in redirection:
        assert {"photo-night.png", "photo-night.bmp"} <= set(names(folder))


def test_a_failure_names_its_image_whatever_it_is_called(call: Run, folder: Path) -> None:
    picture(folder / "image", (15, 40))
    _, _, (line,) = call("image", "-s", "night")
    assert line.startswith("infer.py: image: ")
    assert "15 x 40" in line
