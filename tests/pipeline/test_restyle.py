"""From bytes to bytes: the same result as from files, and one line for whatever is no image."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from pictures import CONVERTED, GRADIENT, encoded, exif_of
from PIL import Image

from stylenet.errors import UserError
from stylenet.inference.painter import BoundStyler
from stylenet.inference.settings import Brush
from stylenet.inference.stylizer import Stylizer
from stylenet.media.formats import WRITABLE
from stylenet.media.picture import Size
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.pipeline.restyle import restyle

SETTINGS = NetworkSettings(width=2, blocks=1)


@pytest.fixture
def stylizer() -> Stylizer:
    return Stylizer(initialize(TransformerNet(SETTINGS), 0), Card("tiny", SETTINGS), "cpu")


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def test_the_result_has_the_networks_pixels_and_the_images_own_format(stylizer: Stylizer) -> None:
    done = restyle(encoded(GRADIENT, "PNG"), stylizer)
    assert (done.format, done.width, done.height, done.notes) == ("PNG", 60, 40, ())
    assert 0 < done.network_seconds < done.seconds
    np.testing.assert_array_equal(np.asarray(opened(done.data)), stylizer.stylize(GRADIENT))


def test_format_quality_and_size_are_followed(stylizer: Stylizer) -> None:
    data = encoded(GRADIENT, "PNG")
    fine = restyle(data, stylizer, Size(long=30), WRITABLE[".webp"], 95)
    coarse = restyle(data, stylizer, Size(long=30), WRITABLE[".webp"], 5)
    assert (fine.format, fine.width, fine.height, opened(fine.data).size) == ("WEBP", 30, 20, (30, 20))
    assert len(coarse.data) < len(fine.data)
    with pytest.raises(UserError, match="quality must be 1 to 100, got 0"):
        restyle(data, stylizer, quality=0)


def test_an_image_comes_back_upright_and_says_what_was_converted(stylizer: Stylizer) -> None:
    turned = restyle(encoded(GRADIENT, "JPEG", exif=exif_of(6)), stylizer)
    assert (turned.width, turned.height, opened(turned.data).size) == (40, 60, (40, 60))
    assert restyle(CONVERTED["cmyk.jpg"][0], stylizer).notes == ("was CMYK",)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_every_frame_of_an_animation_is_stylized(stylizer: Stylizer, suffix: str) -> None:
    scenes = [Image.fromarray(np.roll(GRADIENT, 9 * index, 1)) for index in range(4)]
    data = encoded(scenes[0], "PNG", save_all=True, append_images=scenes[1:], duration=[50, 70, 90, 110], loop=3)
    done = restyle(data, stylizer, format=WRITABLE[suffix])
    result = opened(done.data)
    assert (result.n_frames, done.notes) == (4, ("4 frames",))
    for index, milliseconds in enumerate([50, 70, 90, 110]):
        result.seek(index)
        result.load()
        assert result.info["duration"] == milliseconds
    assert restyle(data, stylizer, format=WRITABLE[".jpg"]).notes == ("first of 4 frames",)


def test_brush_and_mask_come_with_a_bound_styler(stylizer: Stylizer) -> None:
    data = encoded(GRADIENT, "PNG")
    half = BoundStyler(stylizer, Brush(strength=0.0), None)
    np.testing.assert_array_equal(np.asarray(opened(restyle(data, half).data)), GRADIENT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the image is empty"),
        (b"no image at all", "the image is not"),
        (encoded(GRADIENT, "JPEG")[:-200], "the image is truncated"),
        (encoded(GRADIENT[:8], "PNG"), "at least 16 px wide and high, got 60 x 8"),
    ],
)
def test_what_is_no_image_is_one_line(stylizer: Stylizer, data: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        restyle(data, stylizer)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)


def test_the_pixel_limit_is_that_of_the_size(stylizer: Stylizer) -> None:
    data = encoded(GRADIENT, "PNG")
    with pytest.raises(UserError, match="the image has 60 x 40 pixels, more than the limit of 2,399"):
        restyle(data, stylizer, Size(max_pixels=2399))
    assert restyle(data, stylizer, Size(max_pixels=2400)).width == 60


def test_threads_may_share_a_styler(stylizer: Stylizer) -> None:
    images = [encoded(np.roll(GRADIENT, shift, 1), "PNG") for shift in range(8)]
    alone = [restyle(data, stylizer).data for data in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda data: restyle(data, stylizer).data, images)) == alone
