"""`benchmarks/side_by_side.py` and `benchmarks/blind_pairs.py`: pictures of two tools, to be compared by eye."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from infer_command import ROOT
from PIL import Image

Main = Callable[[list[str]], None]
NAMES = [f"photo{number}" for number in range(12)]
OURS, THEIRS = (255, 0, 0), (0, 0, 255)


def script(name: str) -> Main:
    main: Main = runpy.run_path(str(ROOT / f"benchmarks/{name}.py"))["main"]
    return main


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Main:
    """In a folder where `ours` has red pictures and `theirs` blue ones, smaller and in another format."""
    monkeypatch.chdir(tmp_path)
    for folder, suffix, color, size in (("ours", "png", OURS, (64, 48)), ("theirs", "jpg", THEIRS, (32, 24))):
        Path(folder).mkdir()
        for name in NAMES:
            Image.new("RGB", size, color).save(f"{folder}/{name}.{suffix}")
    Image.new("RGB", (32, 24)).save("theirs/only-here.jpg")
    return script("blind_pairs")


def made(main: Main, folder: str, seed: int = 0) -> dict[str, dict[str, str]]:
    """The key of pairs made in a folder."""
    main([folder, "--ours", "ours", "--theirs", "theirs", "--seed", str(seed)])
    key: dict[str, dict[str, str]] = json.loads(Path(f"{folder}-key.json").read_text())["pairs"]
    return key


def test_pairs_tell_nothing_and_the_key_stays_outside(pairs: Main) -> None:
    key = made(pairs, "blind")
    files = sorted(Path("blind").iterdir())
    assert [file.name for file in files] == [f"pair-{number:02}.png" for number in range(1, 13)]
    assert {each["ours"] for each in key.values()} == {"left", "right"}
    assert sorted(each["stem"] for each in key.values()) == sorted(NAMES)
    assert [each["stem"] for each in key.values()] != sorted(NAMES)
    for file in files:
        with Image.open(file) as picture:
            assert picture.size == (32 + 16 + 32, 24)
            left_is_ours = picture.getpixel((5, 5)) == OURS
            assert not picture.info
        assert left_is_ours == (key[file.stem]["ours"] == "left")


def test_the_seed_decides_order_and_sides(pairs: Main) -> None:
    first, same, other = made(pairs, "a", 1), made(pairs, "b", 1), made(pairs, "c", 2)
    assert first == same
    assert [each["stem"] for each in first.values()] != [each["stem"] for each in other.values()]
    assert [each["ours"] for each in first.values()] != [each["ours"] for each in other.values()]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_answers_are_counted(form: str, pairs: Main, capsys: pytest.CaptureFixture[str]) -> None:
    key = made(pairs, "blind")
    other = {"left": "right", "right": "left"}
    ours = {name: each["ours"] for name, each in key.items()}
    answers = {
        "pair-01": [ours["pair-01"], ours["pair-01"], "tie"],
        "pair-02": [other[ours["pair-02"]]],
        "pair-03": ["tie"],
        "pair-04": [ours["pair-04"]],
    }
    if form == "json":
        Path("answers.json").write_text(json.dumps({**answers, "pair-03": "tie"}))
    else:
        rows = [f"{name}.png,{each}" for name, some in answers.items() for each in some]
        Path("answers.csv").write_text("\ufeff" + "\n".join(["pair,answer", *rows]), encoding="utf-8")
    capsys.readouterr()
    pairs(["blind", "--answers", f"answers.{form}"])
    assert json.loads(capsys.readouterr().out) == {"wins": 3, "losses": 1, "ties": 2, "unanswered": 8}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("pair,answer\npair-99,left", "got pair-99: left"),
        ("pair,answer\npair-01,ours", "got pair-01: ours"),
        ("picture,better\npair-01,left", "must have a pair and an answer in each row"),
        ("pair,answer\npair-01", "must have a pair and an answer in each row"),
    ],
)
def test_strange_answers_are_one_line(text: str, part: str, pairs: Main) -> None:
    made(pairs, "blind")
    Path("answers.csv").write_text(text)
    with pytest.raises(SystemExit, match=part):
        pairs(["blind", "--answers", "answers.csv"])


def test_pairs_of_an_earlier_comparison_are_kept(pairs: Main) -> None:
    made(pairs, "blind")
    with pytest.raises(SystemExit, match="blind is not empty"):
        made(pairs, "blind", seed=1)


def test_the_sheet_has_a_row_for_each_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    colors = {"photo": "gray", "theirs": "blue", "ours": "red", "painting": "yellow"}
    for name, color in colors.items():
        Image.new("RGB", (60, 40), color).save(f"{name}.png")
    files = [f"{name}.png" for name in colors]
    main = script("side_by_side")
    main(["sheet.png", *files, *files, "--height", "40"])
    with Image.open("sheet.png") as sheet:
        assert sheet.size == (4 * 60 + 3 * 4, 2 * (40 + 14) + 4)
        centers = [sheet.getpixel((30 + 64 * column, top)) for column in range(4) for top in (34, 92)]
    expected = [(128, 128, 128), (0, 0, 255), (255, 0, 0), (255, 255, 0)]
    assert centers == [color for color in expected for _ in range(2)]
    with pytest.raises(SystemExit):
        main(["sheet.png", *files[:3]])
    with pytest.raises(SystemExit):
        main(["ours.png", *files])
    Path("theirs.png").write_text("no picture")
    with pytest.raises(SystemExit, match=r"theirs\.png: is not an image"):
        main(["sheet.png", *files])
