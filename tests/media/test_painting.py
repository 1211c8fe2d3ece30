"""Paintings: read in sRGB, of scrolls the middle, none that is too small to learn from."""

import io

import numpy as np
import pytest
from pictures import GREEN_FIRST
from PIL import Image

from stylenet.media.image import decode_image
from stylenet.media.limits import ImageError
from stylenet.media.painting import decode_painting

RED, GREEN = (200, 30, 30), (30, 200, 30)


def saved(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_painting_has_the_colors_of_its_profile_and_a_photo_keeps_its_numbers(mode: str) -> None:
    data = saved(Image.new("RGB", (20, 20), RED).convert(mode), icc_profile=GREEN_FIRST)
    np.testing.assert_allclose(decode_painting(data).getpixel((3, 3)), GREEN, atol=2)
    np.testing.assert_allclose(decode_image(data, srgb=True).getpixel((3, 3)), GREEN, atol=2)
    assert decode_image(data).getpixel((3, 3)) == RED


def test_what_is_transparent_stays_white_and_nonsense_instead_of_a_profile_is_ignored() -> None:
    transparent = saved(Image.new("RGBA", (20, 20), (*RED, 0)), icc_profile=GREEN_FIRST)
    assert decode_painting(transparent).getpixel((3, 3)) == (255, 255, 255)
    assert decode_painting(saved(Image.new("RGB", (20, 20), RED), icc_profile=b"nonsense")).getpixel((3, 3)) == RED


@pytest.mark.parametrize(("size", "expected"), [((30, 3000), (30, 120)), ((3000, 31), (124, 31)), ((80, 20), (80, 20))])
def test_of_a_scroll_the_middle_is_read(size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "white")
    image.paste("red", (size[0] // 2 - 5, size[1] // 2 - 5, size[0] // 2 + 5, size[1] // 2 + 5))
    read = decode_painting(saved(image))
    assert read.size == expected
    assert read.getpixel((expected[0] // 2, expected[1] // 2)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (5000, 1)])
def test_a_painting_of_a_few_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"has {size[0]} x {size[1]} pixels, and a painting needs at least 16"):
        decode_painting(saved(Image.new("RGB", size)))
