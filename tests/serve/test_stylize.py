"""POST /v1/stylize: results, options, and the limits that are seen in the body."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import GRADIENT, encoded, png_of
from PIL import Image
from service_client import client, noise, save_tiny
from starlette.testclient import TestClient

from stylenet.inference.painter import BoundStyler
from stylenet.inference.settings import Brush
from stylenet.inference.stylizer import Stylizer
from stylenet.media.formats import WRITABLE
from stylenet.media.picture import Size
from stylenet.pipeline.restyle import restyle

URL = "/v1/stylize?style=night"


def test_the_answer_is_what_restyle_makes_of_the_bytes(service: TestClient, night: Path) -> None:
    torch.set_num_threads(1)
    photo = encoded(GRADIENT, "JPEG")
    answer = service.post(URL, content=photo, headers={"content-type": "image/jpeg"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.content == restyle(photo, Stylizer.load(night, "cpu")).data
    assert answer.headers["x-stylenet-style"] == "night"
    assert answer.headers["server-timing"].startswith("network;dur=")


def test_options_come_from_the_query_or_from_fields_of_a_form(service: TestClient, night: Path) -> None:
    photo = noise()
    options = {"strength": "0.5", "stroke": "2", "colors": "keep", "format": "webp", "quality": "50", "size": "48"}
    query = service.post(URL, params={"style": "night", **options}, content=photo)
    form = service.post("/v1/stylize?colors=keep", files={"image": photo}, data={"style": "night", **options})
    styler = BoundStyler(Stylizer.load(night, "cpu"), Brush(0.5, 2.0, keep_colors=True))
    expected = restyle(photo, styler, Size(48), WRITABLE[".webp"], 50)
    assert query.status_code == form.status_code == 200
    assert query.content == form.content == expected.data
    assert (expected.width, expected.height) == (80, 48)


def test_a_black_mask_gives_the_photo_back_and_inverted_the_style(service: TestClient) -> None:
    photo, black = noise(), encoded(GRADIENT * 0, "PNG")
    files = {"image": photo, "mask": black}
    kept = service.post(URL, files=files, data={"format": "bmp"})
    styled = service.post(URL, files=files, data={"format": "bmp", "mask_invert": "true"})
    assert kept.content == service.post(f"{URL}&strength=0&format=bmp", content=photo).content
    difference = pixels(styled.content) - pixels(service.post(f"{URL}&format=bmp", content=photo).content)
    assert abs(difference).max() <= 1  # a mask's mean of the two is rounded on its own


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)), np.int16)


def test_an_animation_comes_back_whole(service: TestClient) -> None:
    frames = [Image.fromarray(GRADIENT).rotate(turn) for turn in (0, 180)]
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    answer = service.post(URL, content=gif)
    assert answer.headers["x-stylenet-notes"] == "was palette; 2 frames"


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("style=night&strength=1.6", "strength: Input should be less than or equal to 1.5"),
        ("style=night&strength=nan", "strength: Input should be a finite number"),
        ("style=night&stroke=0.4", "stroke: Input should be greater than or equal to 0.5"),
        ("style=night&colors=blue", "colors: Input should be 'style', 'match' or 'keep'"),
        ("style=night&format=exe", "format: Input should be 'jpg', 'jpeg', 'png', "),
        ("style=night&quality=101", "quality: Input should be less than or equal to 100"),
        ("style=night&size=8", "size: Input should be greater than or equal to 16"),
        ("style=night&pixels=9", "pixels: Extra inputs are not permitted"),
        ("strength=1", "style: is required, see /v1/styles"),
    ],
)
def test_an_unknown_or_wrong_option_is_422_in_one_line(service: TestClient, query: str, line: str) -> None:
    for answer in (
        service.post(f"/v1/stylize?{query}", content=noise()),
        service.post("/v1/stylize", files={"image": noise()}, data=dict(part.split("=") for part in query.split("&"))),
    ):
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(line)
        assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "style", ["dawn", "../night", "/etc/passwd", "http://localhost/night", "night.safetensors", ""]
)
def test_a_style_that_is_not_served_is_404_whatever_it_names(service: TestClient, night: Path, style: str) -> None:
    for name in (style, str(night)):
        answer = service.post("/v1/stylize", params={"style": name}, content=noise())
        assert answer.status_code == 404
        assert answer.json()["detail"].endswith("styles: night")


@pytest.mark.parametrize(
    ("data", "kind", "status", "words"),
    [
        (b"no image", "image/png", 415, "the image is not"),
        (b"no image", "text/html", 415, "the body must be an image or multipart/form-data, got 'text/html'"),
        (b"", "image/png", 422, "image: is empty"),
        (noise()[:200], "image/png", 422, "the image is truncated"),
        (noise(15, 40), "image/png", 422, "16"),
        (png_of(50_000, 50_000), "image/png", 413, "more pixels than the limit of 16,000,000"),
        (b"\0\0\0\x18ftypisom" + bytes(40), "video/mp4", 415, "goes to /v1/jobs"),
        (b"--x\r\nnonsense", "multipart/form-data", 400, ""),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 422, "image: the form must have this file"),
    ],
)
def test_a_body_that_is_no_usable_image(service: TestClient, data: bytes, kind: str, status: int, words: str) -> None:
    answer = service.post(URL, content=data, headers={"content-type": kind})
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


def test_forms_have_one_image_and_one_mask_and_no_other_files(service: TestClient) -> None:
    photo = ("photo.png", noise())
    two = service.post(URL, files=[("image", photo), ("image", photo)])
    other = service.post(URL, files={"image": photo, "style_file": photo})
    mask = service.post(URL, files={"image": photo, "mask": b"no image"})
    assert [answer.status_code for answer in (two, other, mask)] == [422, 422, 415]
    assert mask.json()["detail"].startswith("the mask is not")


def test_a_file_that_was_not_chosen_in_a_browser_is_none(service: TestClient) -> None:
    """A form sends it as a file without a name, /docs as an empty field."""
    parts = [("image", 'filename="a.png"', noise()), ("mask", 'filename=""', b""), ("mask", "", b"")]
    heads = [f'--x\r\nContent-Disposition: form-data; name="{name}"; {more}\r\n\r\n' for name, more, _ in parts]
    body = b"\r\n".join(head.encode() + data for head, (_, _, data) in zip(heads, parts, strict=True))
    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = service.post(URL, content=body + b"\r\n--x--\r\n", headers=kind)
    assert answer.status_code == 200, answer.text
    assert answer.content == service.post(URL, content=noise()).content
    assert service.post(URL, files={"image": ("a.png", noise()), "mask": ("b.png", b"")}).status_code == 415


def test_an_image_enlarged_beyond_the_limit_is_413(service: TestClient) -> None:
    assert service.post(f"{URL}&size=5000", content=noise()).status_code == 413


@pytest.fixture(scope="module")
def small(night: Path) -> Iterator[TestClient]:
    from stylenet.serve.settings import Limits

    with client(styles=(str(night),), image=Limits(5000, 2000, 30.0), api_keys=("secret", "other")) as found:
        found.headers["authorization"] = "Bearer secret"
        yield found


def test_a_body_of_too_many_bytes_is_413_announced_or_not(small: TestClient) -> None:
    assert small.post(URL, content=bytes(5001)).status_code == 413
    assert small.post(URL, content=iter([bytes(3000)] * 3)).status_code == 413
    assert small.post(URL, content=noise()).status_code == 200


def test_narrower_strokes_need_more_memory_and_a_smaller_image(small: TestClient) -> None:
    assert small.post(f"{URL}&stroke=0.5", content=noise()).status_code == 413
    assert small.post(f"{URL}&stroke=0.95", content=noise()).status_code == 200
    assert small.post(f"{URL}&stroke=0.5&size=16", content=noise()).status_code == 200  # of the enlarged image


def test_a_mask_is_inverted_only_where_there_is_one(service: TestClient) -> None:
    answer = service.post(f"{URL}&mask_invert=true", content=noise())
    assert (answer.status_code, answer.json()["detail"]) == (422, "mask_invert: needs a mask")


def test_the_frames_of_an_animation_count_together(small: TestClient) -> None:
    frames = [Image.new("RGB", (30, 30), color) for color in ("red", "green", "blue")]  # 900 pixels each
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    answer = small.post(URL, content=gif)
    assert (answer.status_code, answer.json()["detail"][:34]) == (413, "the image has 3 frames of 900 pixe")


def test_without_a_key_or_with_a_wrong_one_it_is_401(small: TestClient) -> None:
    wrong = ({"authorization": "Bearer wrong"}, {"authorization": ""}, {"authorization": "", "x-api-key": "secre"})
    for headers in wrong:
        for answer in (small.post(URL, content=noise(), headers=headers), small.get("/v1/styles", headers=headers)):
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert small.get("/v1/styles", headers={"authorization": "", "x-api-key": "other"}).status_code == 200
    assert small.get("/healthz", headers={"authorization": ""}).status_code == 200


def test_under_load_the_tiny_network_answers_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(tmp_path / "checkpoints/dusk.safetensors")
    save_tiny(tmp_path / "checkpoints/dusk-tiny.safetensors", seed=1)
    save_tiny(tmp_path / "checkpoints/dawn.safetensors")
    monkeypatch.chdir(tmp_path)
    with client(styles=("dusk", "dawn"), fallback="tiny", queue=4) as found:
        load = found.app.state.service.load
        assert found.post("/v1/stylize?style=dusk", content=noise()).headers["x-stylenet-style"] == "dusk"
        load.inside += 3  # with the request itself, one at work and three in a queue of four
        answer = found.post("/v1/stylize?style=dusk", content=noise())
        assert (answer.headers["x-stylenet-style"], answer.headers["x-stylenet-fallback"]) == (
            "dusk-tiny",
            "dusk under load",
        )
        assert answer.content == found.post("/v1/stylize?style=dusk-tiny", content=noise()).content
        other = found.post("/v1/stylize?style=dawn", content=noise())
        assert (other.status_code, other.headers["retry-after"]) == (429, "1")
