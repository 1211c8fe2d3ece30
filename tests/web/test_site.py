"""The page's folder: what is written, from what, and for which networks."""

import json
import os
import runpy
import shutil
from pathlib import Path

import pytest
from infer_command import ROOT
from service_client import save_gallery, save_tiny

from stylenet.cli.main import main
from stylenet.disk import file_sha256, shipped_paintings
from stylenet.errors import UserError
from stylenet.models.loading import load_style
from stylenet.models.registry import build_network
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings
from stylenet.web import site
from stylenet.web.networks import description, thumbnail
from stylenet.web.site import HEADERS, PAGE, write_site


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a page goes, of a runtime that is there but does nothing, and two networks: night and dawn."""
    built = tmp_path / "built"
    (built / "runtime").mkdir(parents=True)
    (built / "example.jpg").touch()
    (built / "networks").mkdir()
    for name, size in (("dawn", 3), ("night", 2)):
        (built / f"networks/{name}.onnx").write_bytes(bytes(size))
        (built / f"networks/{name}.json").write_text(json.dumps({"key": name}))
    monkeypatch.setattr(site, "BUILT", built)
    return tmp_path / "page"


def test_a_missing_runtime_is_one_line_that_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "BUILT", tmp_path / "nowhere")
    (tmp_path / "nowhere" / "runtime").mkdir(parents=True)  # as an interrupted fetch leaves it
    with pytest.raises(UserError, match="runtime is missing: python tools/fetch_web"):
        write_site(tmp_path / "page")
    assert main(["web", str(tmp_path / "page")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "page").exists()


def test_the_page_of_a_read_only_package_can_be_replaced(folder: Path) -> None:
    (site.BUILT / "runtime").chmod(0o555)
    (folder / "made").mkdir(parents=True)
    site.make_page(folder / "made", [])
    assert all(path.stat().st_mode & 0o200 for path in (folder / "made").rglob("*"))


def test_the_size_is_that_of_the_page_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = write_site(folder)
    (folder / "other.bin").write_bytes(bytes(5_000_000))
    assert write_site(folder) == size
    assert main(["web", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}: {size / 1e6:.1f} MB\n"


def test_the_written_page_states_the_policy_of_the_headers(folder: Path) -> None:
    write_site(folder)
    policy = HEADERS["Content-Security-Policy"]
    for name in ("index.html", "offline.js"):
        text = (folder / name).read_text()
        assert policy in text
        assert "{{" not in text
    assert all(header in text for header in HEADERS)
    (mark,) = [line for line in text.splitlines() if line.startswith("const MARK")]
    assert mark.split("'")[1] in (folder / "index.html").read_text()  # by which offline.js knows the page


def test_a_page_is_written_whole_with_its_smallest_network_first(folder: Path) -> None:
    assert main(["web", str(folder)]) == 0
    assert {path.name for path in PAGE.iterdir()} < {path.name for path in folder.iterdir()}
    assert [entry["key"] for entry in json.loads((folder / "networks.json").read_text())] == ["night", "dawn"]
    assert main(["web", str(folder)]) == 0  # again, over what is there


def test_the_cache_of_browsers_is_named_by_what_the_page_holds(folder: Path) -> None:
    names = []
    for content in (b"one", b"one", b"another"):
        (site.BUILT / "networks/dawn.onnx").write_bytes(content)
        write_site(folder)
        (line,) = [line for line in (folder / "offline.js").read_text().splitlines() if line.startswith("const CACHE")]
        names.append(line)
    assert names[0] == names[1] != names[2]


@pytest.fixture
def exporting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, in a working directory with style files of its own in `checkpoints/`."""
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    monkeypatch.chdir(folder.parent)
    save_tiny(Path("checkpoints/wave.safetensors"))
    return folder


def listed(folder: Path) -> dict[str, dict[str, str | None]]:
    """The networks of a page, by name."""
    return {entry["key"]: entry for entry in json.loads((folder / "networks.json").read_text())}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("without_type_checks")
def test_one_style_of_many_stands_beside_a_style_of_the_same_name(
    exporting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exporting
    save_gallery(Path("checkpoints/gallery.safetensors"), "wave", "a%b?")
    assert main(["web", str(folder), "-s", "wave", "-s", "gallery#wave", "-s", "gallery#a%b?"]) == 0
    entries = listed(folder)
    assert set(entries) == {"night", "dawn", "wave", "gallery-wave", "gallery-a%b?"}
    assert entries["gallery-a%b?"]["source"] == "networks/gallery-a%25b%3F.onnx"
    assert (folder / "networks/gallery-wave.onnx").read_bytes() != (folder / "networks/wave.onnx").read_bytes()
    before = contents(folder)
    capsys.readouterr()
    save_tiny(Path("dawn.safetensors"))
    for styles, message in {
        ("wave", "gallery"): "gallery holds 2 styles: choose one, as in gallery#wave; available: wave, a%b?",
        ("wave", "checkpoints/wave.safetensors"): "two networks are named wave",
        ("dawn.safetensors",): "the page already has a network named dawn: leave it out, or rename yours",
    }.items():
        assert main(["web", str(folder), *(part for style in styles for part in ("-s", style))]) == 1
        assert capsys.readouterr().err == f"stylenet web: error: {message}\n"
        assert contents(folder) == before


@pytest.mark.usefixtures("without_type_checks")
def test_a_page_lists_what_was_asked_for_and_nothing_of_an_earlier_one(exporting: Path) -> None:
    assert main(["web", str(exporting), "-s", "wave"]) == 0
    first = contents(exporting)
    (exporting / "robots.txt").write_text("mine")
    assert main(["web", str(exporting)]) == 0
    assert set(listed(exporting)) == {"night", "dawn"}
    second = contents(exporting)
    assert set(first) - set(second) == {"networks/wave.onnx"}
    assert set(second) - set(first) == {"robots.txt"}


def test_a_folder_of_other_files_is_refused_and_stays_as_it_was(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir()
    (folder / ".git").mkdir()  # hides, and is in no page's way
    (folder / "stylenet.json").write_text('{"files": 7}')
    (folder / "index.html").write_text("mine")
    before = contents(folder)
    assert main(["web", str(folder)]) == 1
    assert capsys.readouterr().err == (
        f"stylenet web: error: {folder} holds other files than a page of stylenet: choose an empty folder\n"
    )
    assert contents(folder) == before
    for name in before:
        (folder / name).unlink()
    assert main(["web", str(folder)]) == 0


def test_a_file_that_was_put_beside_the_page_is_never_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_site(folder)
    (site.BUILT / "extra.jpg").write_bytes(b"new")
    (folder / "extra.jpg").write_bytes(b"mine")
    before = contents(folder)
    assert main(["web", str(folder)]) == 1
    place = folder / "extra.jpg"
    assert capsys.readouterr().err == (
        f"stylenet web: error: {place} is no file of the earlier page, and would be replaced: move it\n"
    )
    assert contents(folder) == before


def test_nothing_outside_the_folder_is_removed_or_replaced_whatever_the_list_says(folder: Path) -> None:
    write_site(folder)
    outside = folder.parent / "outside.txt"
    outside.write_text("mine")
    (folder / "stylenet.json").write_text(
        json.dumps(
            {"files": ["../outside.txt", str(outside), *json.loads((folder / "stylenet.json").read_text())["files"]]}
        )
    )
    (folder / "app.js").unlink()
    (folder / "app.js").symlink_to(outside)
    write_site(folder)
    assert outside.read_text() == "mine"
    assert (folder / "app.js").read_bytes() == (PAGE / "app.js").read_bytes()


def test_a_page_that_was_cut_off_is_completed_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site(folder)
    whole = contents(folder)

    def full(*_: object) -> None:
        raise OSError("disk full")

    shutil.rmtree(folder)
    with monkeypatch.context() as patch:
        patch.setattr(site.shutil, "copyfile", full)
        patch.setattr(site, "make_page", lambda made, styles: (made / "index.html").write_text("new"))
        with pytest.raises(OSError, match="disk full"):
            write_site(folder)
    assert os.listdir(folder) == ["stylenet.json"]
    write_site(folder)
    assert contents(folder) == whole


@pytest.mark.usefixtures("without_type_checks")
def test_the_picture_of_a_network_is_the_painting_on_its_card(exporting: Path) -> None:
    wave, _ = load_style(save_tiny(Path("wave-by-anna.safetensors")))
    digest = file_sha256(shipped_paintings()["wave"])
    settings = NetworkSettings(width=2, blocks=1)
    save_style(Path("sea.safetensors"), wave, Card("sea", settings, {"painting": {"sha256": digest}}))
    assert main(["web", str(exporting), "-s", "wave-by-anna.safetensors", "-s", "sea.safetensors"]) == 0
    entries = listed(exporting)
    assert entries["wave-by-anna"]["thumbnail"] is None
    assert entries["sea"]["thumbnail"] == "networks/sea.jpg"
    thumbnail(shipped_paintings()["wave"], exporting.parent / "expected.jpg")
    assert (exporting / "networks/sea.jpg").read_bytes() == (exporting.parent / "expected.jpg").read_bytes()


@pytest.mark.usefixtures("without_type_checks")
def test_a_page_knows_the_least_side_of_each_network(exporting: Path) -> None:
    settings = NetworkSettings(width=2, blocks=3, architecture="dilated")
    save_style(Path("wide.safetensors"), build_network(settings), Card("wide", settings))
    assert main(["web", str(exporting), "-s", "wave", "-s", "wide.safetensors"]) == 0
    entries = listed(exporting)
    assert (entries["wave"]["minimum"], entries["wide"]["minimum"]) == (16, 20)


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
    assert not list((site.BUILT / "networks").iterdir())  # night and dawn are not in checkpoints/


def test_a_network_is_described_by_its_card_whatever_is_missing_on_it(tmp_path: Path) -> None:
    file = tmp_path / "night.onnx"
    file.write_bytes(bytes(250_000))
    described = description(Card("night", facts={"painting": {"title": "The Night"}}), file, 20)
    assert described == {
        "key": "night",
        "title": "The Night",
        "about": "night, 0.2 MB",
        "minimum": 20,
        "source": "networks/night.onnx",
        "thumbnail": None,
    }
    assert description(Card("night", facts={"painting": 7}), file, 16)["title"] == "night"
