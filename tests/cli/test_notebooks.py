"""The tutorial and `%run infer.py` in a real IPython kernel."""

import os
from pathlib import Path

import pytest
from infer_command import ROOT
from PIL import Image

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

TUTORIAL = ROOT / "examples/tutorial.ipynb"
TINY = """
from stylenet.losses.settings import LossSettings
from stylenet.training.settings import LossNetwork, Network
PAINTING, PHOTO = "painting.png", "photo.png"
OPTIONS = dict(
    steps=2, batch=1, crop=32, network=Network(width=4, blocks=1), loss=LossSettings(["relu1_2"], ["relu1_1"]),
    loss_network=LossNetwork(weights={weights!r}),
)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a painting and a photo, and stylenet for a kernel that is started there."""
    Image.effect_noise((60, 48), 90).convert("RGB").save(tmp_path / "painting.png")
    Image.effect_noise((96, 64), 60).convert("RGB").save(tmp_path / "photo.png")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path


def executed(cells: list[str], place: Path) -> list[str]:
    """The text that each cell shows when a kernel runs them in this folder; `image` for an image."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": os.fspath(place)}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    return ["".join(map(text_of, cell.outputs)) for cell in notebook.cells]


def text_of(output: dict[str, object]) -> str:
    data = output.get("data", {})
    assert isinstance(data, dict)
    return "image" if "image/png" in data else str(output.get("text") or data.get("text/plain") or output.get("evalue"))


def test_the_tutorial_trains_looks_blends_and_exports(place: Path, tiny_vgg_file: Path) -> None:
    cells = [cell for cell in nbformat.read(TUTORIAL, as_version=4).cells if cell.cell_type == "code"]
    assert 'OPTIONS = {"minutes": 1' in cells[0].source
    sources = [TINY.format(weights=str(tiny_vgg_file)), *(cell.source for cell in cells[1:])]
    _, trained, *shown, exported = executed(sources, place)
    assert "'held_out/style_ratio'" in trained
    assert shown == ["image"] * 4
    assert exported.startswith("painting.onnx: 0.")
    assert (place / "painting.onnx").exists()


def test_the_tutorial_is_kept_without_outputs() -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


def test_infer_runs_by_magic_and_the_kernel_goes_on(place: Path) -> None:
    infer = ROOT / "infer.py"
    good, bad, after = executed(
        [f'%run "{infer}" photo.png -s starry-tiny', f'%run "{infer}" missing.jpg -s starry-tiny', "1 + 1"], place
    )
    assert "photo-starry-tiny.png" in good
    with Image.open(place / "photo-starry-tiny.png") as stylized:
        assert stylized.size == (96, 64)
    assert "infer.py: missing.jpg: No such file" in bad
    assert "Traceback" not in good + bad
    assert after == "2"
