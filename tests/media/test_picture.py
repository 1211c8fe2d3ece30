"""Picture files as a whole: what is read of them besides RGB, and what the result keeps."""

import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hostile import stretched_gif
from pictures import CONVERTED, GRADIENT, GREEN_FIRST, chunk, encoded, exif_of
from PIL import ExifTags, Image, ImageCms

from stylenet.media.encoders import encode_image
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import ImageError
from stylenet.media.metadata import ReadText
from stylenet.media.picture import OWN_SIZE, Frame, Picture, Size

PHOTO = Image.fromarray(GRADIENT)  # 60 x 40
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CAMERA, PLACE = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo


def frames(data: bytes | Path, size: Size = OWN_SIZE) -> list[Frame]:
    return list(Picture.open(data, size).frames())


def only(data: bytes | Path, size: Size = OWN_SIZE) -> Frame:
    (frame,) = frames(data, size)
    return frame


def camera_exif() -> Image.Exif:
    """What a camera writes that was held upright, thumbnail included."""
    exif = exif_of(6)
    exif[ExifTags.Base.Make] = "Maker"
    camera = {
        ExifTags.Base.ExposureTime: 0.0125,
        ExifTags.Base.DateTimeOriginal: "2024:05:06 07:08:09",
        ExifTags.Base.ExifImageWidth: 60,
        ExifTags.Base.ExifImageHeight: 40,
        ExifTags.Base.MakerNote: b"secret" * 100,
    }
    exif[CAMERA] = camera
    exif[PLACE] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (48.0, 51.0, 29.5)}
    return exif


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_text_in_the_exif_keeps_its_bytes(suffix: str) -> None:
    text = "José Müller".encode()
    exif = exif_of(1)
    exif[ExifTags.Base.Artist] = text
    exif[CAMERA] = {ExifTags.Base.DateTimeOriginal: ReadText(text.decode("latin-1"))}
    exif[PLACE] = {ExifTags.GPS.GPSLatitudeRef: ReadText(text.decode("latin-1"))}
    kept = only(encoded(PHOTO, "JPEG", exif=exif.tobytes())).kept
    with Image.open(BytesIO(encode_image(PHOTO, WRITABLE[suffix], kept))) as result:
        found = result.getexif()
        assert found[ExifTags.Base.Artist].encode("latin-1") == text
        for ifd, tag in ((CAMERA, ExifTags.Base.DateTimeOriginal), (PLACE, ExifTags.GPS.GPSLatitudeRef)):
            assert found.get_ifd(ifd)[tag].encode("latin-1") == text


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_is_kept_but_for_what_is_no_longer_true(source: str, suffix: str) -> None:
    frame = only(encoded(PHOTO, source, exif=camera_exif().tobytes()), Size(short=20))
    assert frame.colors.size == (20, 30)
    with Image.open(BytesIO(encode_image(frame.colors, WRITABLE[suffix], frame.kept))) as result:
        exif = result.getexif()
        assert exif[ExifTags.Base.Make] == "Maker"
        assert ExifTags.Base.Orientation not in exif
        camera = exif.get_ifd(CAMERA)
        assert float(camera[ExifTags.Base.ExposureTime]) == 0.0125
        assert camera[ExifTags.Base.DateTimeOriginal] == "2024:05:06 07:08:09"
        assert (camera[ExifTags.Base.ExifImageWidth], camera[ExifTags.Base.ExifImageHeight]) == (20, 30)
        assert ExifTags.Base.MakerNote not in camera
        assert exif.get_ifd(PLACE)[ExifTags.GPS.GPSLatitude] == (48.0, 51.0, 29.5)
        assert result.size == (20, 30)  # and TIFF's own tags for it aren't the photo's


def test_the_photos_own_thumbnail_does_not_travel_on() -> None:
    thumbnail = encoded(PHOTO, "JPEG")
    head = b"Exif\0\0MM\0\x2a\0\0\0\x08"
    first = b"\0\x01" + b"\x01\x0f\0\x02\0\0\0\x04Abc\0" + b"\0\0\0\x1a"  # IFD0: the make; IFD1 comes at 26
    entries = b"\x02\x01\0\x04\0\0\0\x01\0\0\0\x38" + b"\x02\x02\0\x04\0\0\0\x01" + len(thumbnail).to_bytes(4, "big")
    data = encoded(PHOTO, "JPEG", exif=head + first + b"\0\x02" + entries + bytes(4) + thumbnail)
    with Image.open(BytesIO(data)) as photo:
        assert photo.getexif().get_ifd(ExifTags.IFD.IFD1)
    kept = only(data).kept["exif"]
    assert b"Abc" in kept
    assert b"\xff\xd8" not in kept


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff garbage", b"Exif\0\0" + bytes(40)])
def test_nonsense_in_the_exif_is_left_behind(exif: bytes) -> None:
    assert "exif" not in only(encoded(PHOTO, "JPEG", exif=exif)).kept


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_the_profile_stays_with_rgb(suffix: str) -> None:
    frame = only(encoded(PHOTO, "PNG", icc_profile=SRGB))
    with Image.open(BytesIO(encode_image(frame.colors, WRITABLE[suffix], frame.kept))) as result:
        assert result.info["icc_profile"] == SRGB


@pytest.mark.parametrize(("suffix", "error"), [(".bmp", 1), (".gif", 8)])
def test_colors_of_a_wide_gamut_are_srgb_where_the_format_holds_no_profile(suffix: str, error: float) -> None:
    alike = Image.new("RGB", (32, 20), (200, 40, 90))
    frame = only(encoded(alike, "PNG", icc_profile=GREEN_FIRST))
    result = Image.open(BytesIO(encode_image(frame.colors, WRITABLE[suffix], frame.kept)))
    assert np.abs(np.asarray(result.convert("RGB"), float) - (40, 200, 90)).max() <= error


def test_a_long_text_in_a_png_is_no_damage() -> None:
    text = chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(5_000_000)))
    data = encoded(PHOTO)
    assert only(data[:33] + text + data[33:]).colors.size == PHOTO.size


def test_a_profile_for_other_colors_than_rgb_does_not_stay() -> None:
    gray = bytearray(SRGB)
    gray[16:20] = b"GRAY"
    for image, profile in ((PHOTO.convert("CMYK"), SRGB), (PHOTO.convert("L"), bytes(gray))):
        assert "icc_profile" not in only(encoded(image, "TIFF", icc_profile=profile)).kept


@pytest.mark.parametrize(
    ("name", "converted"),
    [
        ("gray.png", ("grayscale",)),
        ("cmyk.jpg", ("CMYK",)),
        ("palette.gif", ("palette",)),
        ("deep.png", ("16-bit or more",)),
        ("turned.jpg", ()),
        ("alpha.png", ()),
    ],
)
def test_what_is_converted_is_told(name: str, converted: tuple[str, ...]) -> None:
    assert Picture.open(CONVERTED[name][0]).converted == converted


def test_colors_and_transparency_come_apart_and_what_is_hidden_is_white() -> None:
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 51], [1, 2, 3, 0]]], np.uint8)
    frame = only(encoded(rgba))
    assert np.asarray(frame.colors).tolist() == [[[200, 100, 0], [200, 100, 0], [255, 255, 255]]]
    assert frame.alpha is not None
    assert np.asarray(frame.alpha).tolist() == [[255, 51, 0]]
    together = np.asarray(frame.with_alpha())
    assert together[0, :2].tolist() == rgba[0, :2].tolist()
    assert np.asarray(frame.on_white().colors).tolist() == [[[200, 100, 0], [244, 224, 204], [255, 255, 255]]]


def test_opaque_pictures_have_no_transparency_to_keep() -> None:
    assert only(encoded(PHOTO.convert("RGBA"))).alpha is None


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".gif"])
def test_transparency_survives_where_the_format_holds_it(suffix: str) -> None:
    assert WRITABLE[suffix].alpha
    alpha = np.zeros((40, 60), np.uint8)
    alpha[:, 20:] = 255
    image = Image.fromarray(np.dstack([GRADIENT, alpha]))
    back = only(encode_image(image, WRITABLE[suffix]))
    assert back.alpha is not None
    np.testing.assert_array_equal(np.asarray(back.alpha), alpha)
    colors, expected = np.asarray(back.colors, float)[:, 24:], GRADIENT[:, 24:].astype(float)
    assert np.abs(colors - expected).mean() < 4


def test_formats_without_transparency_are_known_as_such() -> None:
    for suffix in (".jpg", ".bmp"):
        assert not WRITABLE[suffix].alpha


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (Size(), (60, 40)),
        (Size(short=20), (30, 20)),
        (Size(short=80), (120, 80)),
        (Size(long=30), (30, 20)),
        (Size(long=90), (60, 40)),
        (Size(short=80, long=90), (90, 60)),
    ],
)
def test_size_is_the_short_side_and_max_size_bounds_the_long_one(size: Size, expected: tuple[int, int]) -> None:
    assert only(encoded(PHOTO), size).colors.size == expected


def test_a_turned_photo_has_its_size_after_turning() -> None:
    assert only(CONVERTED["turned.jpg"][0], Size(long=30)).colors.size == (20, 30)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_pixel_limit_holds_before_and_after_resizing() -> None:
    data = encoded(PHOTO)
    for size in (Size(max_pixels=2399), Size(short=41, max_pixels=2400)):
        with pytest.raises(ImageError, match=r"more than the limit of 2,[34]"):
            Picture.open(data, size)
    assert only(data, Size(max_pixels=2400)).colors.size == (60, 40)


def test_a_frame_that_stretches_its_picture_is_refused() -> None:
    with pytest.raises(ImageError, match="has a frame of 13000 x 2000 pixels, unlike its first"):
        frames(stretched_gif())


def test_of_pages_the_first_is_read_and_their_number_known() -> None:
    picture = Picture.open(encoded(PHOTO, "TIFF", save_all=True, append_images=[PHOTO.rotate(180)]))
    assert (picture.count, picture.animated) == (2, False)
    (frame,) = picture.frames()
    np.testing.assert_array_equal(np.asarray(frame.colors), GRADIENT)
