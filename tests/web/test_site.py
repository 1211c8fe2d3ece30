"""The page's folder: what is written, from what, and for which networks."""

import json
import runpy
from pathlib import Path

import pytest
from infer_command import ROOT
from service_client import save_gallery, save_tiny

from stylenet.cli.main import main
from stylenet.errors import UserError
from stylenet.models.style_file import Card
from stylenet.web import site
from stylenet.web.networks import description
from stylenet.web.site import HEADERS, PAGE, write_site


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a page goes, of a runtime that is there but does nothing, and two networks."""
    built = tmp_path / "built"
    (built / "runtime").mkdir(parents=True)
    (built / "networks").mkdir()
    for name, size in (("wave", 3), ("night", 2)):
        (built / f"networks/{name}.onnx").write_bytes(bytes(size))
        (built / f"networks/{name}.json").write_text(json.dumps({"key": name}))
    monkeypatch.setattr(site, "BUILT", built)
    return tmp_path / "page"


def test_a_missing_runtime_is_one_line_that_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "BUILT", tmp_path / "nowhere")
    with pytest.raises(UserError, match="runtime is missing: python tools/fetch_web"):
        write_site(tmp_path / "page")
    assert main(["web", str(tmp_path / "page")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "page").exists()


def test_the_written_page_states_the_policy_of_the_headers(folder: Path) -> None:
    write_site(folder)
    policy = HEADERS["Content-Security-Policy"]
    for name in ("index.html", "offline.js"):
        text = (folder / name).read_text()
        assert policy in text
        assert "{{" not in text


def test_a_page_is_written_whole_with_its_smallest_network_first(folder: Path) -> None:
    assert main(["web", str(folder)]) == 0
    assert {path.name for path in PAGE.iterdir()} < {path.name for path in folder.iterdir()}
    assert [entry["key"] for entry in json.loads((folder / "networks.json").read_text())] == ["night", "wave"]
    assert main(["web", str(folder)]) == 0  # again, over what is there


def test_the_cache_of_browsers_is_named_by_what_the_page_holds(folder: Path) -> None:
    names = []
    for content in (b"one", b"one", b"another"):
        (site.BUILT / "networks/wave.onnx").write_bytes(content)
        write_site(folder)
        (line,) = [line for line in (folder / "offline.js").read_text().splitlines() if line.startswith("const CACHE")]
        names.append(line)
    assert names[0] == names[1] != names[2]


@pytest.mark.usefixtures("without_type_checks")
def test_one_style_of_many_stands_beside_a_style_of_the_same_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    monkeypatch.chdir(folder.parent)
    save_tiny(Path("checkpoints/wave.safetensors"))
    save_gallery(Path("checkpoints/gallery.safetensors"), "wave", "a%b?")
    assert main(["web", str(folder), "-s", "wave", "-s", "gallery#wave", "-s", "gallery#a%b?"]) == 0
    entries = {entry["key"]: entry for entry in json.loads((folder / "networks.json").read_text())}
    assert set(entries) == {"night", "wave", "gallery-wave", "gallery-a%b?"}
    assert entries["gallery-a%b?"]["source"] == "networks/gallery-a%25b%3F.onnx"
    assert entries["gallery-wave"]["thumbnail"] == "networks/gallery-wave.jpg"
    assert (folder / "networks/gallery-wave.onnx").read_bytes() != (folder / "networks/wave.onnx").read_bytes()
    capsys.readouterr()
    for styles, message in {
        ("gallery",): "gallery holds 2 styles: choose one, as in gallery#wave; available: wave, a%b?",
        ("wave", "checkpoints/wave.safetensors"): "two networks are named wave",
    }.items():
        assert main(["web", str(folder), *(part for style in styles for part in ("-s", style))]) == 1
        assert capsys.readouterr().err == f"stylenet web: error: {message}\n"


def test_the_small_networks_of_the_page_have_one_style_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    save_tiny(Path("checkpoints/dawn-tiny.safetensors"))
    save_gallery(Path("checkpoints/gallery-tiny.safetensors"), "a", "b")
    added: list[str] = []
    fetch = runpy.run_path(str(ROOT / "tools/fetch_web.py"))
    names = fetch["main"].__globals__
    names |= {"BUILT": folder.parent / "built", "fetch_runtime": lambda folder: None}
    names["add_network"] = lambda folder, path: added.append(path.stem)
    assert fetch["main"]() == 0
    assert "dawn-tiny" in added
    assert "gallery-tiny" not in added


def test_a_network_is_described_by_its_card_whatever_is_missing_on_it(tmp_path: Path) -> None:
    file = tmp_path / "night.onnx"
    file.write_bytes(bytes(250_000))
    described = description(Card("night", facts={"painting": {"title": "The Night"}}), file)
    assert described == {
        "key": "night",
        "title": "The Night",
        "about": "night, 0.2 MB",
        "source": "networks/night.onnx",
        "thumbnail": None,
    }
    assert description(Card("night", facts={"painting": 7}), file)["title"] == "night"
