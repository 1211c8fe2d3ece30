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
from stylenet.serve.service import served_styles

NAMES = ["wave", "gallery#wave", "gallery#波"]


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
        zip(NAMES, ["The Night", "It", "It"], strict=True)
    )


def test_the_example_is_a_style_with_a_file_of_its_own(found: TestClient) -> None:
    form = found.get("/openapi.json").json()["paths"]["/v1/stylize"]["post"]["requestBody"]["content"]
    assert form["multipart/form-data"]["schema"]["properties"]["style"]["example"] == "wave"
    assert page.plain(NAMES).index('value="wave"') < page.plain(NAMES).index('value="gallery#')


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
    assert list(served_styles([f"{gallery}#波", str(link)], fallback=False)) == ["sea", "gallery#波"]
    assert list(served_styles([f"{gallery}#波", str(gallery)], fallback=False)) == ["gallery#波", "gallery#wave"]
    other = save_tiny(tmp_path / "wave.safetensors")
    with pytest.raises(UserError, match="two styles are named wave"):
        served_styles([str(checkpoints / "wave.safetensors"), str(other)], fallback=False)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that a worker reads, which keeps two."""
    found = []

    class Counted(worker.LoadedFile):
        def __init__(self, file: Path, device: str) -> None:
            found.append(file.stem)
            super().__init__(file, device)

    monkeypatch.setattr(worker, "LoadedFile", Counted)
    monkeypatch.setattr(worker, "KEPT", 2)
    return found


def test_a_worker_keeps_some_files_and_reads_the_others_when_they_are_asked_for(
    tmp_path: Path, loads: list[str]
) -> None:
    files = {name: StyleReference(save_tiny(tmp_path / f"{name}.safetensors", seed)) for seed, name in enumerate("abc")}
    style_of = worker.style_cache(files, worker.Device("cpu", 0))
    assert loads == ["a", "b"]
    assert [style_of(name).stylizer.card.name for name in "bca"] == ["b", "c", "a"]
    assert loads == ["a", "b", "c", "a"]


def test_a_worker_reads_a_file_of_many_styles_once_and_keeps_its_convolutions_once(
    tmp_path: Path, loads: list[str]
) -> None:
    gallery = save_gallery(tmp_path / "large.safetensors", "a", "b", "c")
    files = {name: StyleReference(gallery, name) for name in "abc"}
    style_of = worker.style_cache(files, worker.Device("cpu", 0))
    assert loads == ["large"]
    styles = [style_of(name) for name in "abc"]
    assert [style.stylizer.card.name for style in styles] == ["large-a", "large-b", "large-c"]
    assert all(style_of(name) is style for name, style in zip("abc", styles, strict=True))
    convolutions = {style.stylizer.plain.get_parameter("layers.0.weight").data_ptr() for style in styles}
    assert len(convolutions) == 1
    assert loads == ["large"]


def test_the_plain_form_offers_what_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = page.plain(["gallery#wave", 'a"><b'])
    assert '<option value="gallery#wave">gallery#wave</option>' in form
    assert '<option value="a&quot;&gt;&lt;b">' in form
