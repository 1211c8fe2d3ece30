"""Metadata that a result keeps of its photo's file: EXIF and the color profile.

The profile stays on the image, as its numbers stay numbers of the photo's colors: in a photo with a wide
gamut the painting's colors are as much stronger as the photo's own. Whatever was converted (CMYK, and gray of
another ink) is sRGB then, and keeps none.
"""

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

LONGEST = 65_000  # bytes; what JPEG has room for
# Of all that a file may say, what is true of the result as well. Orientation, thumbnail and a TIFF's layout aren't.
KEPT = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Rating,
    ExifTags.Base.Copyright,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
SIDES = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
LEADING_AWAY = (ExifTags.Base.MakerNote, ExifTags.Base.ExifInteroperabilityOffset)


class ReadText(str):
    """Text that Pillow read of EXIF as Latin-1, whatever its bytes mean, and would write as ASCII: keeps the bytes."""

    def encode(self, *_: str) -> bytes:
        return super().encode("latin-1", "replace")


def as_read(tags: Mapping[int, Any]) -> dict[int, Any]:
    """The tags of an image file, to be written with the bytes that they have there."""
    return {tag: ReadText(value) if isinstance(value, str) else value for tag, value in tags.items()}


def rewritable(data: bytes) -> Image.Exif:
    """EXIF data for Pillow's TIFF writer, which writes each tag again."""
    exif = Image.Exif()
    exif.load(data)
    for tags in (exif, exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)):
        tags.update(as_read(tags))
    return exif


def kept_metadata(image: Image.Image, size: tuple[int, int]) -> dict[str, bytes]:
    """EXIF and profile of a loaded image file for a result of `size` pixels, as options of Pillow's `save`."""
    options = {"exif": kept_exif(image, size), "icc_profile": kept_profile(image)}
    return {name: value for name, value in options.items() if value}


def kept_exif(image: Image.Image, size: tuple[int, int]) -> bytes:
    """The EXIF data for an upright image of `size`; none if the file has none, or nonsense."""
    try:
        found, kept = image.getexif(), Image.Exif()
        kept.update(as_read({tag: found[tag] for tag in KEPT if tag in found}))
        if camera := found.get_ifd(ExifTags.IFD.Exif):
            kept[ExifTags.IFD.Exif] = as_read(_true_of_the_result(camera, size))
        if place := found.get_ifd(ExifTags.IFD.GPSInfo):
            kept[ExifTags.IFD.GPSInfo] = as_read(place)
        data = kept.tobytes() if kept else b""
    except Exception:  # Pillow's reader raises almost anything on mutilated EXIF
        return b""
    return data if len(data) <= LONGEST else b""


def _true_of_the_result(camera: Mapping[int, Any], size: tuple[int, int]) -> dict[int, Any]:
    """The camera's values with the result's size, and without those that lead to other places in the old file."""
    values = {tag: value for tag, value in camera.items() if tag not in LEADING_AWAY}
    return values | {tag: side for tag, side in zip(SIDES, size, strict=True) if tag in values}


def kept_profile(image: Image.Image) -> bytes:
    """The file's ICC profile if the image's RGB is still in it."""
    profile: bytes = image.info.get("icc_profile") or b""
    return profile if profile[16:20] == b"RGB " and image.mode != "CMYK" else b""
