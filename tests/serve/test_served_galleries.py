"""Files of many styles beside those of one."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from pictures import GRADIENT, encoded
from service_client import client, noise, save_gallery, save_tiny
from starlette.testclient import TestClient

from stylenet.errors import UserError
from stylenet.inference.stylizer import Stylizer
from stylenet.models import catalog
from stylenet.models.catalog import StyleReference
from stylenet.pipeline.restyle import restyle
from stylenet.serve import page, worker
from stylenet.serve.service import served

NAMES = ["gallery#wave", "gallery#波", "wave"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `wave`, and a network of many styles of which one has the same name."""
    folder = tmp_path_factory.mktemp("working") / "checkpoints"
    save_tiny(folder / "wave.safetensors")
    save_gallery(folder / "gallery.safetensors", "wave", "波")
    return folder


@pytest.fixture(scope="module")
def found(checkpoints: Path) -> Iterator[TestClient]:
    """A service of everything in `checkpoints/`; each worker keeps one network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "SHIPPED", checkpoints / "none")
        patch.chdir(checkpoints.parent)
        with client() as service:
            yield service


def test_each_style_of_many_has_the_name_that_infer_takes(found: TestClient) -> None:
    styles = found.get("/v1/styles").json()
    assert [(style["name"], style["title"]) for style in styles] == list(
        zip(NAMES, ["It", "It", "The Night"], strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_is_the_network_that_it_names(found: TestClient, checkpoints: Path, name: str) -> None:
    photo = encoded(GRADIENT, "PNG")
    answer = found.post("/v1/stylize", params={"style": name}, content=photo)
    file, _, inside = name.partition("#")
    reference = StyleReference(checkpoints / f"{file}.safetensors", inside or None)
    assert answer.status_code == 200
    assert answer.content == restyle(photo, Stylizer.load(reference, "cpu")).data
    assert found.post("/v1/stylize", files={"image": photo}, data={"style": name}).content == answer.content
    assert unquote(answer.headers["x-stylenet-style"]) == name


def test_a_name_whose_end_was_taken_for_a_fragment_is_404_and_says_how_to_write_it(found: TestClient) -> None:
    answer = found.post("/v1/stylize?style=gallery#wave", content=noise())
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"no style 'gallery'; styles: {', '.join(NAMES)}; in a URL, # is written %23"
    assert "%23" not in found.post("/v1/stylize?style=dawn", content=noise()).json()["detail"]


def test_chosen_styles_of_many_and_links_keep_their_names(checkpoints: Path, tmp_path: Path) -> None:
    link = tmp_path / "sea.safetensors"
    link.symlink_to(checkpoints / "wave.safetensors")
    gallery = checkpoints / "gallery.safetensors"
    assert list(served([f"{gallery}#波", str(link)], fallback=False)) == ["gallery#波", "sea"]
    assert list(served([f"{gallery}#波", str(gallery)], fallback=False)) == ["gallery#波", "gallery#wave"]
    other = save_tiny(tmp_path / "wave.safetensors")
    with pytest.raises(UserError, match="two styles are named wave"):
        served([str(checkpoints / "wave.safetensors"), str(other)], fallback=False)


def test_a_worker_keeps_some_networks_and_loads_the_others_when_they_are_asked_for(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []

    class Counted(worker.LoadedStyle):
        def __init__(self, file: StyleReference, device: worker.Device) -> None:
            loads.append(file.name)
            super().__init__(file, device)

    monkeypatch.setattr(worker, "LoadedStyle", Counted)
    monkeypatch.setattr(worker, "KEPT", 2)
    gallery = StyleReference(save_gallery(checkpoints / "large.safetensors", "a", "b", "c").resolve())
    files = {name: StyleReference(gallery.file, name) for name in "abc"}
    style_of = worker.kept(files, worker.Device("cpu", 0))
    assert loads == ["a", "b"]
    assert [style_of(name).stylizer.card.name for name in "bca"] == ["b", "c", "a"]
    assert loads == ["a", "b", "c", "a"]


def test_the_plain_form_offers_what_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = page.plain(["gallery#wave", 'a"><b'])
    assert '<option value="gallery#wave">gallery#wave</option>' in form
    assert '<option value="a&quot;&gt;&lt;b">' in form
