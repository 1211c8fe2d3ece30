"""Files to pixels and back."""

import os
import struct
import sys
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import chunk
from PIL import Image, ImageCms

from stylenet.media import encoders
from stylenet.media.decoders import count_scans
from stylenet.media.encoders import encode_image, write_image
from stylenet.media.formats import JPEG, WRITABLE
from stylenet.media.image import decode_image, to_image, to_rgb_or_rgba, to_tensor, to_uint8
from stylenet.media.limits import ImageError

CORNERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]], [[0, 0, 0], [9, 9, 9]]], np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int = 40, width: int = 50) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def pixels(data: bytes) -> np.ndarray:
    image = decode_image(data)
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_whole_pixels_come_back_as_they_were(kind: str) -> None:
    np.testing.assert_array_equal(pixels(encoded(noise(), kind)), np.asarray(noise()))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, CORNERS),
        (2, CORNERS[:, ::-1]),
        (3, CORNERS[::-1, ::-1]),
        (4, CORNERS[::-1]),
        (5, CORNERS.swapaxes(0, 1)),
        (6, CORNERS[::-1].swapaxes(0, 1)),
        (7, CORNERS[::-1, ::-1].swapaxes(0, 1)),
        (8, CORNERS[:, ::-1].swapaxes(0, 1)),
    ],
)
def test_exif_orientation_is_honoured_exactly_once(kind: str, orientation: int, turned: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(CORNERS), kind, exif=exif, **options)
    np.testing.assert_array_equal(pixels(data), turned)


def test_nonsense_in_the_exif_data_does_not_spoil_the_picture() -> None:
    data = encoded(noise(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    with warnings.catch_warnings(action="ignore"):
        assert decode_image(data).size == (50, 40)


def test_grayscale_of_16_bits_is_scaled_and_not_clipped() -> None:
    gray = np.array([[0, 257, 32896, 65535]], np.uint16)
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(gray)))[0, :, 0], [0, 1, 128, 255])
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(gray), "TIFF"))[0, :, 2], [0, 1, 128, 255])


def test_float_grayscale_goes_from_0_to_1() -> None:
    gray = np.array([[0, 0.2, 1, np.nan]], np.float32)
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(gray), "TIFF"))[0, :, 1], [0, 51, 255, 0])


def test_transparency_lies_on_white() -> None:
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], np.uint8)
    expected = [[200, 100, 0], [255, 255, 255], [244, 224, 204]]  # 0.2 of the color and 0.8 of white
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(rgba)))[0], expected)


def test_a_palette_gives_its_colors_and_its_transparency() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    np.testing.assert_array_equal(pixels(encoded(image))[0], [[10, 20, 30], [40, 50, 60]])
    np.testing.assert_array_equal(pixels(encoded(image, transparency=1))[0], [[10, 20, 30], [255, 255, 255]])


def test_black_and_white_and_gray_become_rgb() -> None:
    gray = Image.fromarray(np.array([[0, 255]], np.uint8))
    for image in (gray, gray.convert("1"), gray.convert("LA")):
        np.testing.assert_array_equal(pixels(encoded(image))[0], [[0, 0, 0], [255, 255, 255]])


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    np.testing.assert_allclose(pixels(encoded(image, "TIFF"))[8, 8], [255, 0, 0], atol=2)
    np.testing.assert_allclose(pixels(encoded(image, "JPEG"))[8, 8], [255, 0, 0], atol=4)


def test_a_broken_color_profile_does_not_spoil_a_cmyk_picture() -> None:
    for profile in (b"nonsense", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        image = Image.new("CMYK", (16, 16), (255, 255, 255, 255))
        assert pixels(encoded(image, "TIFF", icc_profile=profile)).max() < 60


def test_of_an_animation_the_first_frame_is_taken() -> None:
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(pixels(data)[0, 0], [255, 0, 0])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("tenth", range(10))
def test_a_truncated_file_is_an_error_of_one_line(kind: str, tenth: int) -> None:
    data = encoded(noise(), kind)
    with warnings.catch_warnings(action="ignore"), pytest.raises(ImageError) as caught:
        decode_image(data[: len(data) * tenth // 10])
    assert "\n" not in str(caught.value)


def test_other_errors_name_the_file_and_the_reason_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty\n.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    reasons = {
        "text.jpg": "is not an image in a format that can be read",
        "empty\n.png": "is empty",
        "pipe.png": "is not a file",
        "missing.png": "No such file or directory",
        "": "is not a file",
    }
    for name, reason in reasons.items():
        with pytest.raises(ImageError) as caught:
            decode_image(tmp_path / name)
        assert str(caught.value).endswith(f": {reason}")
        assert "\n" not in str(caught.value)


def test_a_jpegs_scans_are_counted_without_those_of_its_thumbnail_or_behind_its_end() -> None:
    baseline, progressive = (encoded(noise(), "JPEG", progressive=progressive) for progressive in (False, True))
    with_thumbnail = encoded(noise(), "JPEG", exif=b"Exif\0\0" + progressive)
    for data in (baseline, with_thumbnail, with_thumbnail + 20_000 * b"\xff\xda\0\2"):
        assert count_scans(data) == 1
    assert count_scans(progressive) == 10  # libjpeg's own script for three colors
    assert count_scans(b"") == count_scans(b"\xff") == count_scans(b"\xff\xe0\0") == 0


def test_a_jpeg_that_keeps_the_decoder_busy_is_refused() -> None:
    data = encoded(noise(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    assert decode_image(data[:-2] + 400 * last + data[-2:]).size == (50, 40)
    with pytest.raises(ImageError, match="a JPEG with more than 500 scans"):
        decode_image(data[:-2] + 491 * last + data[-2:])


def test_postscript_is_left_alone() -> None:
    with pytest.raises(ImageError, match="not an image in a format"):
        decode_image(encoded(noise(), "EPS"))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_pixel_limit_is_an_error_and_can_be_moved() -> None:
    data, before = encoded(noise()), Image.MAX_IMAGE_PIXELS
    assert decode_image(data, 2000).size == (50, 40)
    for limit in (1999, 1000, 10):
        with pytest.raises(ImageError, match="limit of"):
            decode_image(data, limit)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_limit_above_pillows_own_is_neither_an_error_nor_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings(action="error"):
        assert decode_image(encoded(noise()), 2000).size == (50, 40)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_tensors_hold_rgb_in_0_to_1_and_go_back_exactly() -> None:
    tensor = to_tensor(Image.fromarray(CORNERS))
    assert tensor.shape == (3, 3, 2)
    assert tensor[:, 0, 1].tolist() == [0, 1, 0]
    assert tensor[0, 2, 1].item() == pytest.approx(9 / 255)
    np.testing.assert_array_equal(np.asarray(to_image(tensor)), CORNERS)


def test_every_byte_survives_the_way_through_floats() -> None:
    ramp = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    assert torch.equal(to_uint8(ramp.float() / 255), ramp)


def test_rounding_is_to_the_nearest_and_clips() -> None:
    values = torch.tensor([-0.1, 0.4 / 255, 0.6 / 255, 1.2]).expand(3, 1, 4)
    assert to_uint8(values)[0, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("suffix", [*WRITABLE, ".JPG"])
def test_the_format_follows_the_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"new folder/picture{suffix}"
    write_image(path, torch.full((3, 20, 30), 0.5))
    with Image.open(path) as image:
        assert image.format == WRITABLE[suffix.lower()].name
    assert to_tensor(decode_image(path)).sub(128 / 255).abs().max() <= 1.5 / 255
    assert [path] == list(path.parent.iterdir())


def test_a_picture_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "wide.webp"
    path.write_text("before")
    with pytest.raises(ImageError, match="WEBP cannot hold 16384 x 1 pixels"):
        write_image(path, Image.new("RGB", (16384, 1)))
    with pytest.raises(ImageError, match="cannot write this kind of file"):
        write_image(tmp_path / "picture.xyz", noise())
    assert path.read_text() == "before"
    assert [path] == list(tmp_path.iterdir())


def test_heic_without_its_plugin_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(ImageError) as caught:
        decode_image(path)
    assert str(caught.value) == f"{path}: is HEIC, which needs: pip install 'stylenet[heic]'"


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_is_read_upright_where_its_plugin_is(tmp_path: Path, orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    ramp = np.broadcast_to(np.linspace(0, 255, 128, dtype=np.uint8)[:, None, None], (128, 64, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "phone.heic"
    pillow_heif.from_pillow(Image.fromarray(ramp)).save(path, quality=95, exif=exif.tobytes())
    expected = ramp if orientation == 1 else np.rot90(ramp, -1)
    found = np.asarray(decode_image(path), float)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 4


def test_only_a_picture_of_no_great_size_is_counted_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, straight = (encoded(noise(), "JPEG", quality=92, subsampling=0, optimize=yes) for yes in (True, False))
    assert len(counted) < len(straight)
    assert encoders.encode_image(noise(), JPEG) == counted
    monkeypatch.setattr(encoders, "COUNTED", 40 * 50 - 1)
    assert encoders.encode_image(noise(), JPEG) == straight


@pytest.mark.parametrize("brightest", [1.0, 1.2, 7.5])
def test_a_float_image_with_highlights_keeps_its_grays(brightest: float) -> None:
    values = np.full((40, 50), 0.5, np.float32)
    values[0, 0] = brightest
    image = np.asarray(decode_image(encoded(Image.fromarray(values), "TIFF")))
    assert abs(int(image[20, 20, 0]) - 128) <= 1
    assert image[0, 0, 0] == 255


@pytest.mark.parametrize("white", [255, 65535])
def test_a_float_image_of_whole_numbers_keeps_its_scale(white: int) -> None:
    ramp = np.linspace(0, white, 2000, dtype=np.float32).reshape(40, 50)
    image = np.asarray(decode_image(encoded(Image.fromarray(ramp), "TIFF")), float)[..., 0]
    assert np.abs(image - ramp * (255 / white)).max() <= 1


def gray_profile(gamma: float) -> bytes:
    """The smallest ICC profile of grays with this gamma (ICC.1:2001-04)."""
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)  # D50
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    tags, place = b"", 128 + 4 + 2 * 12
    for name, data in ((b"wtpt", white), (b"kTRC", curve)):
        tags += name + struct.pack(">II", place, len(data))
        place += len(data)
    body = struct.pack(">I", 2) + tags + white + curve
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + body


def test_gray_with_transparency_is_converted_by_its_profile_as_gray_without_is() -> None:
    profile = gray_profile(1.0)  # linear: 0.5 is far brighter in sRGB
    gray = Image.new("L", (20, 20), 128)
    opaque, clear = gray.copy(), Image.merge("LA", (gray, Image.new("L", (20, 20), 200)))
    for image in (opaque, clear):
        image.info["icc_profile"] = profile
    assert np.asarray(to_rgb_or_rgba(opaque))[0, 0].tolist() == np.asarray(to_rgb_or_rgba(clear))[0, 0, :3].tolist()
    assert np.asarray(to_rgb_or_rgba(clear))[0, 0].tolist() == [188, 188, 188, 200]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_gray_of_16_bits_is_converted_by_its_profile_as_gray_of_8_bits_is(kind: str) -> None:
    deep = Image.fromarray(np.full((20, 20), 128 * 257, np.uint16))
    assert pixels(encoded(deep, kind, icc_profile=gray_profile(1.0)))[0, 0].tolist() == [188, 188, 188]


def test_the_transparent_value_of_a_png_of_16_bits_is_transparent_and_its_neighbors_are_not() -> None:
    gray = np.array([[1000, 1001, 65535]], np.uint16)
    data = encoded(Image.fromarray(gray))
    clear = chunk(b"tRNS", struct.pack(">H", 1000))
    with Image.open(BytesIO(data[:33] + clear + data[33:])) as image:
        assert np.asarray(to_rgb_or_rgba(image))[0].tolist() == [[4, 4, 4, 0], [4, 4, 4, 255], [255, 255, 255, 255]]


def test_a_jpeg_of_noise_which_is_larger_than_pillow_expects_is_written() -> None:
    data = encode_image(to_image(torch.rand(3, 384, 384)), JPEG)
    assert len(data) > 384 * 384  # Pillow's buffer with optimize=True
    assert Image.open(BytesIO(data)).size == (384, 384)
