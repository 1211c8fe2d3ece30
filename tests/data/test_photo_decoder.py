"""One decoder for every kind of picture file, good or bad."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import CONVERTED, GRADIENT, JPEG, SKIPPED, encoded, exif_of
from PIL import Image

from stylenet.data.decoder import UnusablePhotoError, decode_photo


@pytest.mark.parametrize(("data", "kind"), SKIPPED.values(), ids=SKIPPED)
def test_what_is_no_whole_photo_is_named_by_its_kind(data: bytes, kind: str) -> None:
    with pytest.raises(UnusablePhotoError) as caught:
        decode_photo(data, 288)
    assert caught.value.kind == kind


@pytest.mark.parametrize(("data", "kind"), CONVERTED.values(), ids=CONVERTED)
def test_odd_pictures_become_rgb_and_the_change_is_named(data: bytes, kind: str) -> None:
    photo = decode_photo(data, 288)
    assert photo.pixels.shape in [(40, 60, 3), (60, 40, 3)]
    assert kind in photo.changes


def test_the_pixel_limit_does_not_lean_on_pillows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(UnusablePhotoError, match="too large"):
        decode_photo(SKIPPED["large.png"][0], 288)


def test_a_jpeg_that_keeps_the_decoder_busy_is_skipped() -> None:
    data = encoded(GRADIENT, "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(UnusablePhotoError, match="too many scans"):
        decode_photo(data[:-2] + 500 * last + data[-2:], 288)


def test_a_plain_photo_keeps_its_pixels_and_has_no_changes() -> None:
    photo = decode_photo(encoded(GRADIENT), 288)
    np.testing.assert_array_equal(photo.pixels, GRADIENT)
    assert photo.changes == ()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    photo = decode_photo(CONVERTED["deep.png"][0], 288)
    np.testing.assert_array_equal(photo.pixels[..., 1], GRADIENT[..., 0])


def test_a_turned_photo_stands_upright() -> None:
    # Orientation 6: the camera was held so that the picture must be turned clockwise by a quarter.
    photo = decode_photo(encoded(GRADIENT, "PNG", exif=exif_of(6)), 288)
    np.testing.assert_array_equal(photo.pixels, np.rot90(GRADIENT, -1))


def test_of_an_animation_the_first_frame_is_taken() -> None:
    colors = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    photo = decode_photo(encoded(colors[0], "GIF", save_all=True, append_images=colors[1:]), 288)
    assert photo.pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((100, 200), (32, 64)), ((200, 100), (64, 32)), ((20, 90), (20, 90)), ((33, 1000), (32, 970))],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_short_side_is_scaled_down_but_never_up(
    shape: tuple[int, int], expected: tuple[int, int], kind: str
) -> None:
    assert decode_photo(encoded(np.zeros((*shape, 3), np.uint8), kind), 32).pixels.shape == (*expected, 3)


def test_a_huge_jpeg_is_not_decoded_at_its_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(np.full((1600, 2400, 3), 77, np.uint8), "JPEG")
    loaded: list[tuple[int, int]] = []
    load = Image.Image.load
    monkeypatch.setattr(Image.Image, "load", lambda image: (loaded.append(image.size), load(image))[1])
    pixels = decode_photo(data, 100).pixels
    assert max(loaded) == (300, 200)  # an eighth
    assert pixels.shape == (100, 150, 3)
    assert abs(int(pixels.mean()) - 77) <= 1


@given(
    st.binary(max_size=400),
    st.integers(0, len(JPEG) - 1),
    st.sampled_from([JPEG, *(d for d, _ in CONVERTED.values())]),
)
@settings(max_examples=60, deadline=None)
def test_no_mutilated_file_raises_anything_unforeseen(noise: bytes, place: int, data: bytes) -> None:
    place = min(place, len(data))
    try:
        photo = decode_photo(data[:place] + noise + data[place + len(noise) :], 64)
    except UnusablePhotoError:
        return
    assert min(photo.pixels.shape[:2]) >= 16
