"""One decoder for the photos of every source: a file or its bytes to pixels that are small enough to keep.

It differs from `stylenet.media.image.decode_image` in what training needs: a huge JPEG is never decoded at its full
size, a file is read no further than its header deserves, and what was wrong or changed has a short name under
which it is counted.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile, UnidentifiedImageError

from stylenet.media.decoders import READABLE, is_busywork, load_plugin_for
from stylenet.media.image import TURNS, conversions, orientation, to_rgb
from stylenet.media.limits import MINIMUM_SIDE, ImageError

MAXIMUM_PIXELS = 178_956_970  # Pillow's own limit, at which it gives up
TRUNCATED, GONE = "truncated or damaged", "gone"


class UnusablePhotoError(Exception):
    """A photo to be skipped. `kind` says why in a word or two: `not an image`, `too small` …"""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class DecodedPhoto:
    """Upright RGB pixels in [0, 255], and what had to be changed to get them (`CMYK`, `alpha` …)."""

    pixels: UInt8[np.ndarray, "h w 3"]
    changes: tuple[str, ...]


def decode_photo(source: bytes | str, size: int) -> DecodedPhoto:
    """An image, given by its bytes or its path, with a short side of at most `size` pixels; never scaled up.

    Raises `UnusablePhotoError`, and nothing else, for whatever isn't a whole image of at least 16 pixels a
    side and at most 179 million in all.
    """
    try:
        with _opened(source) as image:
            _check_sides(image)
            if is_busywork(image):
                raise UnusablePhotoError("too many scans")
            # A JPEG's decoder itself scales down, here to no less than twice of what is wanted.
            image.draft(None, _scaled(image.size, 2 * size))
            changes = tuple(_changes(image))  # before loading, which hides the depth and the number of frames
            image.load()
            turned = image.transpose(TURNS[turn]) if (turn := orientation(image)) in TURNS else image
            changes += ("rotated by EXIF",) if turn in TURNS else ()
            return DecodedPhoto(np.array(_shrunk(to_rgb(turned), size)), changes)
    except UnusablePhotoError:
        raise
    except UnidentifiedImageError as error:
        raise UnusablePhotoError("not an image") from error
    except ImageError as error:
        raise UnusablePhotoError("colors unknown") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise UnusablePhotoError("too large") from error
    except Exception as error:  # Pillow's decoders raise almost anything on mutilated files
        raise UnusablePhotoError(_kind_of(error)) from error


@contextmanager
def _opened(source: bytes | str) -> Iterator[ImageFile.ImageFile]:
    with BytesIO(source) if isinstance(source, bytes) else _regular_file(source) as file:
        if not (start := file.read(64)):
            raise UnusablePhotoError("empty")
        try:
            load_plugin_for(start)
        except ImageError as error:
            raise UnusablePhotoError("HEIC without pillow-heif") from error
        file.seek(0)
        with Image.open(file, formats=[name for name in READABLE if name in Image.OPEN]) as image:
            yield image


def _regular_file(path: str) -> BinaryIO:
    """Opens nothing that could block or never end: it was a file when it was listed, that may be long ago."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise UnusablePhotoError("not a file")
    return open(path, "rb")


def _check_sides(image: Image.Image) -> None:
    if min(image.size) < MINIMUM_SIDE:
        raise UnusablePhotoError("too small")
    if image.width * image.height > MAXIMUM_PIXELS:
        raise UnusablePhotoError("too large")


def _changes(image: ImageFile.ImageFile) -> Iterator[str]:
    yield from conversions(image)
    if image.has_transparency_data:
        yield "alpha"
    if image.format != "MPO" and getattr(image, "is_animated", False):  # cameras write MPO: a photo and its previews
        yield "first of several frames"


def _scaled(sides: tuple[int, int], size: int) -> tuple[int, int]:
    """The two sides when the shorter one is `size`."""
    width, height = sides
    scale = size / min(sides)
    return max(size, round(width * scale)), max(size, round(height * scale))


def _shrunk(image: Image.Image, size: int) -> Image.Image:
    if min(image.size) <= size:
        return image
    return image.resize(_scaled(image.size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _kind_of(error: Exception) -> str:
    """The system's errors have a number; those of a decoder have none."""
    if isinstance(error, FileNotFoundError):
        return GONE
    if isinstance(error, PermissionError):
        return "no permission"
    if isinstance(error, OSError) and error.errno is not None:
        return "not readable"
    return TRUNCATED
