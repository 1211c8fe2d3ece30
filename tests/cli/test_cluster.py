"""`stylenet cluster` as a user starts it: every mistake is one line before Ray starts."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from infer_command import picture
from service_client import save_gallery

from stylenet.cli.main import main
from stylenet.cluster.places import Place
from stylenet.cluster.plan import plan_rows

Refused = Callable[..., str]


@pytest.fixture
def refused(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Calls the command, which must end with exit code 1, one line, and without Ray; the line."""
    (folder / "modules").mkdir()
    (folder / "modules/ray.py").write_text("raise AssertionError('Ray is imported')")
    monkeypatch.syspath_prepend(folder / "modules")
    monkeypatch.setattr("stylenet.cluster.run.ray_session", lambda _: pytest.fail("Ray starts"))
    picture(folder / "in/a.png")
    save_gallery(folder / "checkpoints/gallery.safetensors", "wave", "toledo")

    def call(*arguments: str) -> str:
        assert main(["cluster", *arguments]) == 1
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return err.removeprefix("stylenet cluster: error: ").rstrip("\n")

    return call


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["in", "out"], "the following arguments are required: -s/--style (see --help)"),
        (["in", "-s", "night"], "the following arguments are required: OUT (see --help)"),
        (["in", "out", "-s", "dawn"], "there is no style dawn; available: "),
        (["in", "out", "-s", "gallery"], "gallery holds 2 styles: choose one, as in gallery#wave; available: "),
        (["in", "out", "-s", "gallery#dawn"], "gallery has no style dawn; available: wave, toledo"),
        (["in", "out", "-s", "photo.png"], "photo.png is not a whole safetensors file"),
        (["in", "out", "-s", "night", "--strength", "2"], "--strength must lie between 0 and 1.5, got 2"),
        (["in", "out", "-s", "night", "--actors", "0"], "argument --actors: must be a whole number of at least 1"),
        (["nowhere", "out", "-s", "night"], "there is no folder nowhere"),
        (["photo.png", "out", "-s", "night"], "there is no folder photo.png"),
        (["in", "in/out", "-s", "night"], "output in/out is inside the input in"),
        (["in", "in", "-s", "night"], "output in is inside the input in"),
        (["modules", "out", "-s", "night"], "folder modules has no images"),
        (["in", "photo.png/out", "-s", "night"], "cannot write photo.png/out: Not a directory"),
        (["s4://in", "out", "-s", "night"], "s4://in: Protocol not known: s4"),
    ],
)
def test_a_mistake_is_one_line_before_ray_starts(refused: Refused, arguments: list[str], reason: str) -> None:
    assert refused(*arguments).startswith(reason)


def test_without_ray_it_says_what_to_install(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refused("in", "out", "-s", "night") == "a cluster needs Ray: pip install 'stylenet[ray]'"


@pytest.mark.parametrize("source", ["in", "file://{}/in"])
def test_clips_between_the_images_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """They would end an actor, which can do images only."""
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("fsspec")
    picture(tmp_path / "in/a.png")
    (tmp_path / "in/b.mp4").write_bytes(b"clip")
    todo = plan_rows(Place(source.format(tmp_path)), Place("out"), "night", None, False)
    assert (todo.names, todo.results, todo.clips) == (["a.png"], ["a-night.png"], 1)
