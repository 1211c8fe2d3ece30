"""`infer.py` and names that shells, terminals and file systems stumble over; results that would go astray."""

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from infer_command import ROOT
from PIL import Image

from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

Call = Callable[..., tuple[int, str, str]]
NAMES = [
    "new\nline",
    'it\'s "quoted" \\ and `ticked`',
    "-o",
    "--list",
    "$(touch harm); touch harm | * ?",
    "%s %d {0} {name}",
    "[a-c]",
    "\x1b[2J\a",
    "right\u202eleft",
    " ",
    "~",
    "a..b",
    "e\u0301té",
    os.fsdecode(b"\xff\xfe \xe9"),
    "x" * 240,
]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`infer.py` within this process, in a folder with one style; exit code, output, complaints."""
    form = NetworkSettings(width=2, blocks=1)
    style = tmp_path / "checkpoints/night.safetensors"
    save_style(style, initialize(TransformerNet(form), 0), Card("night", form))
    monkeypatch.chdir(tmp_path)

    def infer(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["infer.py", "-s", str(style), "--device", "cpu", *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / "infer.py"), run_name="__main__")
        return int(end.value.code or 0), *capsys.readouterr()

    return infer


def picture(name: str, color: str = "teal") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 16), color).save(path, "PNG")
    return path


def files() -> set[str]:
    return {path.as_posix() for path in Path().rglob("*") if path.is_file() and path.parts[0] != "checkpoints"}


def test_strange_names_are_found_in_a_folder_and_kept(call: Call) -> None:
    for name in NAMES:
        picture(f"in/{name}.png")
    before = files()
    code, out, err = call("in", "-o", "out")
    assert (code, err) == (0, "")
    assert files() - before == {f"out/{name}-night.png" for name in NAMES}
    assert out.count(" -> ") == len(NAMES)
    assert out.replace("\n", "").isprintable()
    assert out.count("\n") < len(NAMES) + 2  # and perhaps a line about all of them


def test_strange_names_are_arguments(call: Call) -> None:
    for name in NAMES:
        picture(f"{name}.png")
    code, out, err = call("-o", "out", "--", *(f"{name}.png" for name in NAMES))
    assert (code, err, out.count(" -> ")) == (0, "", len(NAMES))
    assert {name for name in files() if name.startswith("out/")} == {f"out/{name}-night.png" for name in NAMES}


@pytest.mark.parametrize("name", ["-o", "new\nline", "$(touch harm)", os.fsdecode(b"\xff")])
def test_a_strange_name_is_a_result(call: Call, name: str) -> None:
    picture("a.png")
    code, _, err = call("a.png", f"-o{name}.bmp")
    assert (code, err) == (0, "")
    assert files() == {"a.png", f"{name}.bmp"}


def test_strange_names_are_shown_and_not_obeyed_where_they_are_wrong(call: Call) -> None:
    for name in NAMES:
        Path(f"{name}.png").write_text("no picture")
    code, out, err = call("--", *(f"{name}.png" for name in NAMES))
    assert (code, out.count("\n"), err.count("\n")) == (1, 1, len(NAMES))
    assert err.replace("\n", "").isprintable()


def test_a_name_of_255_bytes_is_read_and_written(call: Call) -> None:
    name = "é" * 125 + "a"
    picture(f"{name}.png")
    assert call(f"{name}.png", "-o", f"{name}.jpg")[0] == 0
    code, _, err = call(f"{name}.png")  # whose result has six bytes too many
    assert code == 1
    assert err.count("\n") == 1
    assert "File name too long" in err
    assert files() == {f"{name}.png", f"{name}.jpg"}


@pytest.mark.parametrize("pattern", ["in/*/../../*.png", "*/../*/../../own.png"])
def test_dots_in_a_pattern_lead_nothing_out_of_the_output(
    call: Call, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    for name in ("work/in/deep/a.png", "work/own.png", "own.png"):
        picture(name)
    before = files()
    with monkeypatch.context() as patched:
        patched.chdir("work")
        code, out, err = call(pattern, "-o", "out/here")
    assert (code, out) == (1, "")
    assert "would lie outside of out/here" in err
    assert files() == before


def test_a_linked_folder_leads_nothing_out_of_the_output(call: Call) -> None:
    picture("in/deep/a.png")
    for name in ("out", "away"):
        Path(name).mkdir()
    Path("out/deep").symlink_to("../away")
    code, out, err = call("in", "-o", "out")
    assert (code, out) == (1, "")
    assert "would lie outside of out: a link leads there" in err
    assert files() == {"in/deep/a.png"}


def test_a_link_in_a_results_place_is_replaced_and_not_followed(call: Call) -> None:
    picture("a.png")
    Path("out").mkdir()
    Path("away").write_text("mine")
    Path("out/a-night.png").symlink_to("../away")
    assert call("a.png", "-o", "out")[0] == 0
    assert Path("away").read_text() == "mine"
    assert not Path("out/a-night.png").is_symlink()


@pytest.mark.parametrize("inputs", [["a/x.png", "b/x.png"], ["a/*", "b/*"]])
def test_two_inputs_for_one_result_are_refused_before_anything_is_written(call: Call, inputs: list[str]) -> None:
    for name in ("a/x.png", "b/x.png", "b/x.avif"):
        picture(name)
    before = files()
    code, out, err = call(*inputs, "-o", "out")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "would both become out/x-night.png" in err
    assert files() == before
