"""The bar over the rows of a picture that goes in strips."""

import sys
import time
from pathlib import Path

import pytest
from infer_command import Run, picture

from stylenet.cli.infer_report import RowsBar
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, as pytest changes the stream between a fixture and its test."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


@pytest.fixture
def tall(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A picture, and memory for a part of it only."""
    monkeypatch.setattr("stylenet.inference.stylizer.working_memory", lambda device: 50_000)
    return picture(folder / "tall.png", (30, 200)).name


def test_the_bar_says_how_many_rows_are_done_and_what_time_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_terminal(monkeypatch)
    bar = RowsBar()
    bar.show(10, 90)
    time.sleep(0.2)  # tqdm draws ten times a second at most
    bar.show(50, 90)
    drawn = capsys.readouterr().err.split("\r")[-1]
    assert " 50/90 [00:00<00:00, " in drawn  # 40 rows in 0.2 s: 40 more take as long
    assert drawn.endswith(" rows/s]")
    bar.show(90, 90)
    assert bar.bar is None
    assert capsys.readouterr().err.split("\r")[-2].isspace()  # it leaves nothing behind
    bar.show(90, 90)
    assert capsys.readouterr().err == ""


def test_the_bar_of_a_picture_that_failed_does_not_stay_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    bar = RowsBar()
    bar.show(80, 90)
    bar.close()
    bar.show(10, 200)
    assert bar.bar is not None
    assert (bar.bar.n, bar.bar.total) == (10, 200)
    bar.close()


@pytest.mark.parametrize(("styles", "rows"), [(["-s", "night"], 200), (["-s", "night:1", "-s", "day:3"], 400)])
def test_infer_shows_the_rows_of_a_large_picture(
    call: Run, tall: str, monkeypatch: pytest.MonkeyPatch, styles: list[str], rows: int
) -> None:
    another = initialize(TransformerNet(NetworkSettings(width=2, blocks=1)), seed=1)
    save_style(Path("checkpoints/day.safetensors"), another, Card("day", another.settings))
    on_a_terminal(monkeypatch)
    code, _, err = call(tall, *styles)
    assert code == 0
    assert f"/{rows} [" in "".join(err)


def test_a_small_picture_has_no_bar(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    assert call("photo.png", "-s", "night")[::2] == (0, [])


def test_a_large_picture_has_no_bar_where_nobody_looks(call: Run, tall: str) -> None:
    assert call(tall, "-s", "night")[::2] == (0, [])
