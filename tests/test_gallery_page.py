"""The page and the sheet of a network of many styles."""

import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from infer_command import ROOT, picture
from PIL import Image
from service_client import save_gallery, save_tiny

from stylenet.models.style_file import change_card, read_card

TRAINING = {"steps": 5, "batch": 1, "crop": 192, "learning_rate": 0.002, "seed": 0, "init": {"style": "starry"}}
Made = Callable[..., int]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Runs the tool, in a folder with `many.safetensors` and its paintings."""
    monkeypatch.chdir(tmp_path)
    file = save_gallery(tmp_path / "many.safetensors", "night", "v1.2", "wave")
    card = read_card(file)
    facts = {**card.facts, "training": TRAINING, "loss": {"weights": {"style": 18.0}}}
    change_card(file, replace(card, facts=facts))
    for name in ("night", "v1.2", "wave"):
        picture(tmp_path / f"paintings/{name}.png", (60, 40))
    (tmp_path / "paintings/night.txt").write_text("about it")
    (tmp_path / "paintings/paintings.yaml").touch()

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["gallery_page.py", *arguments])
        return runpy.run_path(str(ROOT / "tools/gallery_page.py"))["main"]()

    return run


def test_page_and_sheet_are_named_after_the_file_and_show_every_style(made: Made) -> None:
    assert made("many.safetensors", "paintings") == 0
    page = Path("many.md").read_text()
    assert page.startswith("# One network for many paintings (`many`)\n\n![3 styles: ")
    for part in ("](many.jpg)", "-s many#NAME`.", "| `night` | It |", "| `v1.2` |", "5 steps of 1 at 192 px"):
        assert part in page
    assert "--painting" not in page  # which the gallery alone predicts
    with Image.open("many.jpg") as sheet:
        assert sheet.size == (3 * (3 * 128 + 2 * 2) + 2 * 12, 128 + 24)
    assert Path("many.jpg").stat().st_size <= 400_000


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["many.safetensors", "paintings"], "paintings has no image of: night, wave"),
        (["many.safetensors", "nowhere"], "there is no folder nowhere"),
        (["one.safetensors", "paintings"], "one.safetensors holds one style"),
        (["missing.safetensors", "paintings"], "missing.safetensors cannot be read: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(
    made: Made, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    save_tiny(Path("one.safetensors"))
    Path("paintings/night.png").unlink()
    Path("paintings/wave.png").rename("paintings/wave-2.png")
    assert made(*arguments) == 1
    assert capsys.readouterr().err == f"gallery_page.py: {reason}\n"
    assert not Path("many.md").exists()
