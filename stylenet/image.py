"""Files to pixels and back: everything that this package knows of picture files.

Pixels are RGB floats in [0, 1], `3 h w`. Reading gives what a viewer would show: turned as the EXIF
orientation says, 16-bit greyscale scaled, transparent parts on white.
"""

import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import (  # the decoders by name: Image.init() would load all forty
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageCms,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    PpmImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)
from torch import Tensor

from stylenet.disk import shown, written_aside
from stylenet.errors import UserError

MAXIMUM_PIXELS = 178_956_970  # Pillow's own limit, at which it gives up
# Every other decoder stays out of a stranger's reach (that of EPS starts Ghostscript).
READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "MPO", "AVIF", "HEIF")
# 4:4:4, as a stylised picture is made of coloured edges.
JPEG = {"format": "JPEG", "quality": 92, "subsampling": 0, "optimize": True}
WRITABLE: dict[str, dict[str, Any]] = {
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".png": {"format": "PNG"},
    ".webp": {"format": "WEBP", "quality": 92},
    ".tif": {"format": "TIFF", "compression": "tiff_lzw"},
    ".tiff": {"format": "TIFF", "compression": "tiff_lzw"},
    ".bmp": {"format": "BMP"},
    ".gif": {"format": "GIF"},
}
# Of files worth opening when a folder is searched.
SUFFIXES = frozenset(WRITABLE) | {".jfif", ".ppm", ".pgm", ".avif", ".heic", ".heif"}
TURNS = {  # EXIF's orientation (tag 0x0112): what brings the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(UserError):
    """A picture that can't be read or written; the message says why in one line."""


def decode_image(source: bytes | str | os.PathLike[str], max_pixels: int = MAXIMUM_PIXELS) -> Image.Image:
    """A picture file, or its bytes, as an upright RGB picture of 8 bits; of an animation, the first frame.

    Raises `ImageError` for whatever isn't a whole picture of at most `max_pixels`.
    """
    with _one_line_errors(source):
        return to_rgb(_opened(source, max_pixels))


def open_image(source: bytes | str | os.PathLike[str], max_pixels: int = MAXIMUM_PIXELS) -> Image.Image:
    """Like `decode_image`, but in the file's own mode: alpha, palette, CMYK or 16 bits are still there."""
    with _one_line_errors(source):
        return _opened(source, max_pixels)


@contextmanager
def _one_line_errors(source: bytes | str | os.PathLike[str]) -> Iterator[None]:
    name = "" if isinstance(source, bytes) else f"{shown(source)}: "
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{name}{error}") from error
    except Exception as error:  # Pillow's decoders raise almost anything on mutilated files
        raise ImageError(name + _reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:  # from the disk, not from the decoder
        return error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    return "is truncated" if "truncated" in text.lower() else f"is damaged: {text}"


def _opened(source: bytes | str | os.PathLike[str], max_pixels: int) -> Image.Image:
    with _pillow_limit(max_pixels):
        if isinstance(source, bytes):
            return _loaded(io.BytesIO(source), max_pixels)
        if not stat.S_ISREG(Path(source).stat().st_mode):  # a pipe would block, a device never end
            raise ImageError("is not a file")
        with Path(source).open("rb") as file:
            return _loaded(file, max_pixels)


def _loaded(file: io.BytesIO | io.BufferedReader, max_pixels: int) -> Image.Image:
    if not file.read(1):
        raise ImageError("is empty")
    try:
        image: Image.Image = Image.open(file, formats=[name for name in READABLE if name in Image.OPEN])
        _check_size(image, max_pixels)
        image.load()
    except UnidentifiedImageError as error:
        raise ImageError("is not a picture in a format that can be read") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"has more pixels than the limit of {max_pixels:,}") from error
    turn = TURNS.get(_orientation(image))  # read after loading: TIFF turns itself then, and drops the tag
    return image if turn is None else image.transpose(turn)


def _check_size(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise ImageError(f"has {image.width} x {image.height} pixels, more than the limit of {max_pixels:,}")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # nonsense in the EXIF data doesn't spoil the picture
        return 1


def to_rgb(image: Image.Image) -> Image.Image:
    """Any picture as RGB of 8 bits: 16 bits scaled, transparency laid on white, CMYK by its own profile."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode == "CMYK" and "icc_profile" in image.info:
        return _by_profile(image)
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise ImageError(f"has colours ({image.mode}) that can't be converted to RGB") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits or floats, from [0, the largest value of its kind] to [0, 255]."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    peaks = (1, 255, 65535) if image.mode == "F" else (65535,)
    peak = next((peak for peak in peaks if values.max() <= peak), 2**31 - 1)
    return Image.fromarray((values.clip(0, peak) * (255 / peak)).round().astype(np.uint8))


def _by_profile(image: Image.Image) -> Image.Image:
    """CMYK as its press would print it; Pillow's own conversion, which knows no ink, glows."""
    try:
        press = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        screen = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, press, screen, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return converted or image.convert("RGB")


class _PillowLimit:
    """Pillow's one limit for the whole process, its only one: set while pictures are read, then put back.

    Above it Pillow only warns, above twice of it it refuses, also what `_check_size` can't see (a TIFF's
    tile). Of threads with different limits the largest counts.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.outside: int | None = None
        self.inside: list[int] = []

    @contextmanager
    def __call__(self, max_pixels: int) -> Iterator[None]:
        with self.lock:
            self.outside = self.outside if self.inside else Image.MAX_IMAGE_PIXELS
            self.inside.append(max_pixels)
            Image.MAX_IMAGE_PIXELS = max(self.inside)
        try:
            yield
        finally:
            with self.lock:
                self.inside.remove(max_pixels)
                Image.MAX_IMAGE_PIXELS = max(self.inside, default=self.outside)


_pillow_limit = _PillowLimit()


def resized(image: Image.Image, size: int) -> Image.Image:
    """The picture with its short side at `size` pixels, smaller ones enlarged."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def to_tensor(image: Image.Image) -> Float[Tensor, "3 h w"]:
    """An RGB picture as floats in [0, 1]."""
    pixels = torch.from_numpy(np.array(image))  # a copy: Pillow's own memory is read-only
    return pixels.permute(2, 0, 1).float().div_(255)


def to_uint8(pixels: Float[Tensor, "*b 3 h w"]) -> UInt8[Tensor, "*b 3 h w"]:
    """Floats in [0, 1] as whole numbers in [0, 255], to the nearest; what lies outside is clipped."""
    return pixels.float().clamp(0, 1).mul(255).round().to(torch.uint8)


def to_image(pixels: Float[Tensor, "3 h w"] | UInt8[Tensor, "3 h w"]) -> Image.Image:
    """Floats in [0, 1] or whole numbers in [0, 255] as an RGB picture."""
    whole = pixels if pixels.dtype == torch.uint8 else to_uint8(pixels)
    return Image.fromarray(whole.permute(1, 2, 0).contiguous().cpu().numpy())


def write_image(path: str | os.PathLike[str], image: Image.Image | Tensor) -> None:
    """Writes an RGB picture (Pillow's, or a tensor as `to_image` takes it) in the format of its suffix.

    Raises `ImageError` when there is no such format or it can't hold the picture, `OSError` when the disk
    won't take it.
    """
    target = Path(path)
    options = WRITABLE.get(target.suffix.lower())
    if options is None:
        raise ImageError(f"{shown(target)}: can't write this kind of file; there are {', '.join(WRITABLE)}")
    data = _encoded(image if isinstance(image, Image.Image) else to_image(image), options, shown(target))
    with written_aside(target) as aside:
        aside.write_bytes(data)


def _encoded(image: Image.Image, options: dict[str, Any], name: str) -> bytes:
    buffer = io.BytesIO()
    try:
        image.save(buffer, **options)
    except (OSError, ValueError) as error:  # 16,383 px are WebP's limit, 65,535 are JPEG's
        size = f"{image.width} x {image.height}"
        raise ImageError(f"{name}: {options['format']} can't hold {size} pixels") from error
    return buffer.getvalue()
