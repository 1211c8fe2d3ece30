"""An actor's work, without Ray."""

import os
from pathlib import Path

import pytest
from infer_command import picture
from PIL import Image

from stylenet.cluster.actors import TRIES, Assignment, Attempts, RowStylizer
from stylenet.cluster.places import Place
from stylenet.inference.stylizer import Stylizer
from stylenet.pipeline.restyle import Restyled, restyle


@pytest.fixture
def assignment(folder: Path) -> Assignment:
    style = (folder / "checkpoints/night.safetensors").read_bytes()
    return Assignment(style, "night", None, Place(str(folder / "in")), Place(str(folder / "out")))


def batch(*names: str) -> dict[str, list[str]]:
    return {"name": list(names), "result": [f"{Path(name).stem}-night.png" for name in names]}


def test_each_image_gives_a_row_and_a_broken_one_an_error(folder: Path, assignment: Assignment) -> None:
    photo = picture(folder / "in/a.png")
    (folder / "in/b.png").write_bytes(b"no image")
    columns = RowStylizer(assignment, Attempts())(batch("a.png", "b.png", "missing.png"))
    assert columns["path"] == ["a.png", "b.png", "missing.png"]
    assert columns["width"] == [30, 0, 0]
    assert columns["error"][0] == ""
    assert columns["error"][1].startswith("the image is not")
    assert columns["error"][2] == "No such file or directory"
    assert min(columns["milliseconds"]) > 0
    expected = restyle(photo.read_bytes(), Stylizer.load("night", "cpu")).data
    assert [(path.name, path.read_bytes()) for path in (folder / "out").iterdir()] == [("a-night.png", expected)]


def test_names_that_are_not_utf8_are_read_and_escaped_in_their_row(folder: Path, assignment: Assignment) -> None:
    name = os.fsdecode(b"\xff.png")
    picture(folder / "in" / name)
    columns = RowStylizer(assignment, Attempts())({"name": [b"\xff.png"], "result": [b"\xff-night.png"]})
    assert (columns["path"], columns["error"]) == ([r"\xff.png"], [""])
    assert [os.fsencode(path.name) for path in (folder / "out").iterdir()] == [b"\xff-night.png"]


def test_what_was_left_out_of_an_image_is_in_its_row(folder: Path, assignment: Assignment) -> None:
    pages = [Image.new("RGB", (30, 20), color) for color in ("red", "blue")]
    (folder / "in").mkdir()
    pages[0].save(folder / "in/a.tiff", save_all=True, append_images=pages[1:])
    assert RowStylizer(assignment, Attempts())(batch("a.tiff"))["notes"] == ["first of 2 pages"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "MemoryError"),
        (RuntimeError("Server\n disconnected"), "RuntimeError: Server disconnected"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_whatever_goes_wrong_with_an_image_costs_no_other(
    folder: Path, assignment: Assignment, error: Exception, line: str
) -> None:
    picture(folder / "in/a.png")

    class Failing(RowStylizer):
        def stylize(self, name: str, result: str) -> Restyled:
            if name == "b.png":
                raise error
            return super().stylize(name, result)

    attempts = Attempts()
    assert Failing(assignment, attempts)(batch("b.png", "a.png"))["error"] == [line, ""]
    assert not attempts.begun


class Killed(BaseException):
    """The end of a process, as far as it can be had within one."""


def test_an_image_that_ends_its_worker_is_given_up_and_costs_no_other(folder: Path, assignment: Assignment) -> None:
    for name in "abc":
        picture(folder / f"in/{name}.png")
    attempts, ended = Attempts(), 0

    class Deadly(RowStylizer):
        def stylize(self, name: str, result: str) -> tuple[int, int]:
            if name == "b.png":
                raise Killed
            return super().stylize(name, result)

    while True:
        try:
            columns = Deadly(assignment, attempts)(batch("a.png", "b.png", "c.png"))
            break
        except Killed:
            ended += 1
    assert ended == TRIES
    rows = dict(zip(columns["path"], columns["error"], strict=True))
    assert rows == {"a.png": "", "b.png": "given up: ended its worker 3 times", "c.png": ""}
    assert not attempts.begun


def test_after_a_killed_worker_others_are_no_suspects() -> None:
    attempts = Attempts()
    assert [attempts.begin("a"), attempts.begin("b")] == [0, 0]
    attempts.end("a")
    assert attempts.suspects(["a", "b", "c"]) == ["b"]
    assert attempts.begin("b") == 1
