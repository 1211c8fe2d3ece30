"""Where results cannot go: every command says so in one line, before any work is done, and replaces no input."""

from pathlib import Path

import pytest

from stylenet.cli.main import main
from stylenet.disk import check_writable
from stylenet.errors import UserError

COMMANDS = {
    "export": ["export", "night", "-o", "{}.onnx"],
    "convert": ["convert", "weights.pth", "-o", "{}.safetensors"],
    "hub": ["hub", "pull", "hf:someone/night", "-o", "{}.safetensors"],
    "optimize": ["optimize", "photo.png", "photo.png", "-o", "{}.png"],
    "report": ["report", "outputs", "-o", "{}.html"],
}


@pytest.fixture
def no_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which every command fails the test if it does any work."""

    def work(*_: object, **__: object) -> None:
        raise AssertionError("worked before the output was checked")

    for place in (
        "stylenet.export.onnx.export_onnx",
        "stylenet.cli.convert_run.rebuilt",
        "stylenet.models.hub._download",
        "stylenet.cli.optimize_run.optimize_image",
        "stylenet.report.page",
        "stylenet.web.site.write_site",
    ):
        monkeypatch.setattr(place, work)
    monkeypatch.setattr("stylenet.web.site.require_runtime", lambda: None)
    (folder / "weights.pth").write_bytes(b"")
    (folder / "outputs/night/1").mkdir(parents=True)
    (folder / "outputs/night/1/metrics.csv").write_text("step\n")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("place", "reason"), [("folder", "is a folder; name a file in it"), ("photo.png/result", "cannot write photo.png/")]
)
def test_a_place_that_cannot_be_written_is_one_line_before_any_work(
    no_work: Path, capsys: pytest.CaptureFixture[str], command: str, place: str, reason: str
) -> None:
    arguments = [part.format(place) for part in COMMANDS[command]]
    if place == "folder":
        (no_work / arguments[-1]).mkdir()
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_a_page_needs_a_folder_that_can_be_written(no_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "photo.png"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write photo.png: File exists" in line


def test_photos_that_are_not_there_are_named_as_they_were_typed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "night", "--photos", "nowhere"]) == 1
    assert capsys.readouterr().err == "stylenet evaluate: error: --photos: nowhere is not a folder\n"


def test_no_input_is_replaced_whatever_it_is_called(folder: Path) -> None:
    (folder / "link.png").symlink_to("photo.png")
    for name in ("photo.png", "./photo.png", "link.png"):
        with pytest.raises(UserError, match=r"would overwrite photo\.png"):
            check_writable(Path(name), Path("photo.png"))
    check_writable(Path("new folder/result 1%.png"), Path("photo.png"))
    assert [path.name for path in (folder / "new folder").iterdir()] == []


def test_a_command_names_the_option_that_chooses_another_output(
    no_work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (no_work / "weights.safetensors").write_bytes(b"")
    assert main(["convert", "weights.safetensors", "-o", "weights.safetensors"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("would overwrite weights.safetensors: choose another file with -o")
