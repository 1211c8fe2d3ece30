"""Animations: frame by frame through the files, read back by Pillow's decoders."""

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from pictures import encoded
from PIL import Image

from stylenet.media.animation import AnimationInfo, join
from stylenet.media.encoders import encode_image as still
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import ImageError
from stylenet.media.picture import Picture

DURATIONS = [70, 120, 40]
COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def scene(index: int, transparent: bool = True) -> Image.Image:
    """A colored square that moves over nothing."""
    image = Image.new("RGBA", (40, 30), (0, 0, 0, 0) if transparent else (90, 90, 90, 255))
    image.paste((*COLORS[index], 255), (10 * index, 5, 10 * index + 16, 21))
    return image


SCENES = [scene(index) for index in range(3)]


def animation(kind: str, **options: object) -> bytes:
    """By Pillow's own writer."""
    exact = {"lossless": True} if kind == "WEBP" else {"disposal": 2 if kind == "GIF" else 1}
    options = {"duration": DURATIONS, **exact, **options}
    return encoded(SCENES[0], kind, save_all=True, append_images=SCENES[1:], **options)


def joined(suffix: str, plays: int = 0, **kept: bytes) -> bytes:
    buffer = BytesIO()
    form = WRITABLE[suffix]
    stills = [(still(image, form, kept), time) for image, time in zip(SCENES, DURATIONS, strict=True)]
    join(buffer, iter(stills), AnimationInfo(40, 30, plays), form.name)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_every_frame_is_read_with_its_transparency_and_its_time(kind: str) -> None:
    picture = Picture.open(animation(kind))
    assert (picture.animated, picture.count) == (True, 3)
    found = list(picture.frames())  # together, so that one which is drawn over would show
    assert [frame.milliseconds for frame in found] == DURATIONS
    for frame, expected in zip(found, SCENES, strict=True):
        seen = np.asarray(expected)[..., 3] > 0
        assert frame.alpha is not None
        np.testing.assert_array_equal(np.asarray(frame.alpha) > 0, seen)
        np.testing.assert_array_equal(np.asarray(frame.colors)[seen], np.asarray(expected)[..., :3][seen])
        assert (np.asarray(frame.colors)[~seen] == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_frame_stays_when_the_next_one_is_read(kind: str) -> None:
    opaque = [scene(index, transparent=False).convert("RGB") for index in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = list(Picture.open(encoded(opaque[0], kind, save_all=True, append_images=opaque[1:], **options)).frames())
    for frame, expected in zip(found, opaque, strict=True):
        np.testing.assert_array_equal(np.asarray(frame.colors), np.asarray(expected))


@pytest.mark.parametrize(
    ("kind", "loop", "plays"),
    [
        ("GIF", {}, 1),
        ("GIF", {"loop": 0}, 0),
        ("GIF", {"loop": 2}, 3),
        ("PNG", {"loop": 0}, 0),
        ("PNG", {"loop": 2}, 2),
        ("WEBP", {"loop": 0}, 0),
        ("WEBP", {"loop": 2}, 2),
    ],
)
def test_how_often_it_plays_is_read_alike(kind: str, loop: dict[str, int], plays: int) -> None:
    assert Picture.open(animation(kind, **loop)).plays == plays


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_joined_frames_come_back(suffix: str) -> None:
    assert WRITABLE[suffix].frames
    with Image.open(BytesIO(joined(suffix))) as image:
        assert image.n_frames == 3
        for index, expected in enumerate(map(np.asarray, SCENES)):
            image.seek(index)
            image.load()
            found = np.asarray(image.convert("RGBA"))
            np.testing.assert_array_equal(found[..., 3], expected[..., 3])
            seen = expected[..., 3] > 0
            assert np.abs(found[seen].astype(int) - expected[seen]).mean() < (8 if suffix == ".webp" else 1)
            assert image.info["duration"] == DURATIONS[index]


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
@pytest.mark.parametrize("plays", [0, 1, 4])
def test_how_often_it_plays_is_written(suffix: str, plays: int) -> None:
    assert Picture.open(joined(suffix, plays)).plays == plays


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_profile_and_exif_are_kept_once(suffix: str) -> None:
    profile = bytes(16) + b"RGB " + b"profile!" * 20
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    data = joined(suffix, exif=exif.tobytes(), icc_profile=profile)
    with Image.open(BytesIO(data)) as image:
        assert image.info["icc_profile"] == profile
        assert image.getexif()[0x010F] == "Maker"
    assert data.count(b"Maker") == 1


def test_a_pngs_picture_for_those_who_cannot_show_animations_is_no_frame() -> None:
    data = encoded(Image.new("RGBA", (40, 30), "black"), "PNG", save_all=True, default_image=True, append_images=SCENES)
    picture = Picture.open(data)
    assert picture.count == 3
    first = next(picture.frames())
    np.testing.assert_array_equal(np.asarray(first.alpha) > 0, np.asarray(SCENES[0])[..., 3] > 0)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_truncated_animation_has_fewer_frames_or_is_a_users_error(kind: str, tenth: int) -> None:
    data = animation(kind)
    with suppress(ImageError):
        assert len(list(Picture.open(data[: len(data) * tenth // 10]).frames())) <= 3


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_frames_are_written_as_they_come(suffix: str) -> None:
    """Else an hour of them would fill the memory."""
    form, buffer, lengths = WRITABLE[suffix], BytesIO(), []

    def stills() -> Iterator[tuple[bytes, float]]:
        for image in SCENES:
            lengths.append(buffer.tell())
            yield still(image.convert("RGBA"), form), 50.0

    join(buffer, stills(), AnimationInfo(40, 30, 0), form.name)
    assert lengths[0] < lengths[1] < lengths[2] < len(buffer.getvalue())
