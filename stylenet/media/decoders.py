"""Pillow's decoders, kept in bounds: which there are, how large an image may be, one line for whatever goes wrong."""

import io
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import (  # the decoders by name: Image.init() would load all forty
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageFile,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,
    PpmImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from stylenet.disk import printable
from stylenet.media.limits import MAXIMUM_PIXELS, ImageError, TooManyPixelsError, UnknownImageError

MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a JPEG's coded data, 0xFF is followed by 0 or a restart marker
END, SCAN, WITHOUT_LENGTH = 0xD9, 0xDA, (0x01, 0xD8)  # of its markers
MAXIMUM_SCANS = 500  # of a JPEG, as libjpeg-turbo's own fuzzers have it
# Untrusted files reach no other decoder (that of EPS starts Ghostscript).
READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "MPO", "AVIF", "HEIF")
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")  # brands in a file's first bytes
# Bytes of a PNG's compressed text, unpacked: a program that makes images may store its whole workflow there. Pillow
# allows a megabyte, and 64 of all of a file's texts.
PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, 16 << 20)
Source = bytes | str | os.PathLike[str]


@contextmanager
def opened_image(
    source: Source, max_pixels: int = MAXIMUM_PIXELS, name: str = "the image"
) -> Iterator[ImageFile.ImageFile]:
    """An image file, or its bytes, whose header was read and whose pixels are read within the block.

    `name` is what errors call bytes; a file is called by its path.
    Raises `ImageError` for whatever isn't an image of at most `max_pixels`, and for what goes wrong inside.
    """
    with _one_line_errors(source, max_pixels, name), _pillow_limit(max_pixels), _opened_file(source) as file:
        start = file.read(64)
        if not start:
            raise UnknownImageError("is empty")
        load_plugin_for(start)
        with Image.open(file, formats=[name for name in READABLE if name in Image.OPEN]) as image:
            check_size(image.width, image.height, max_pixels)
            if is_busywork(image):
                raise ImageError(
                    f"is a JPEG with more than {MAXIMUM_SCANS} scans, refused as a possible decompression bomb"
                )
            yield image


def _opened_file(source: Source) -> io.BytesIO | io.BufferedReader:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    mode = Path(source).stat().st_mode
    if stat.S_ISDIR(mode):
        os.scandir(source).close()  # whose error says more: a folder comes here if it cannot be searched
    if not stat.S_ISREG(mode):  # a pipe would block, a device never end
        raise ImageError("is not a file")
    return Path(source).open("rb")


@contextmanager
def _one_line_errors(source: Source, max_pixels: int, name: str) -> Iterator[None]:
    name = f"{name} " if isinstance(source, bytes) else f"{printable(source)}: "
    try:
        yield
    except ImageError as error:
        raise type(error)(f"{name}{error}") from error
    except UnidentifiedImageError as error:
        raise UnknownImageError(f"{name}is not an image in a format that can be read") from error
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(f"{name}has more pixels than the limit of {max_pixels:,}") from error
    except Exception as error:  # Pillow's decoders raise almost anything on mutilated files
        raise ImageError(name + _reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:  # from the disk, not from the decoder
        return error.strerror
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    text = " ".join(str(error).split()) or type(error).__name__
    return "is truncated" if "truncated" in text.lower() else f"is damaged: {text}"


def load_plugin_for(start: bytes) -> None:
    """Loads what Pillow needs for a file that starts so. Raises `ImageError` where it is not installed."""
    if start[4:8] == b"ftyp" and any(brand in start for brand in HEIC):
        _register_heic()


def _register_heic() -> None:
    """Lets Pillow read HEIC, by a plugin that is an optional extra and only loaded when it's needed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise UnknownImageError("is HEIC, which needs: pip install 'stylenet[heic]'") from error
    register_heif_opener()


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises `ImageError` for an image of more than `max_pixels`."""
    if width * height > max_pixels:
        raise TooManyPixelsError(f"has {width} x {height} pixels, more than the limit of {max_pixels:,}")


def is_busywork(image: ImageFile.ImageFile) -> bool:
    """Whether a file, just opened, is a JPEG with so many scans that it was made to keep the decoder busy."""
    if image.format not in ("JPEG", "MPO") or image.fp is None:
        return False
    place = image.fp.tell()
    image.fp.seek(0)
    scans = count_scans(image.fp.read())
    image.fp.seek(place)
    return scans > MAXIMUM_SCANS


def count_scans(data: bytes) -> int:
    """Number of scans of a JPEG, each a pass of the decoder over the whole image, up to the first end of an image.

    A progressive image usually has ten scans. In one of 13,000 x 13,000 pixels a scan that changes nothing has 67
    bytes and took 3.6 ms: a megabyte of them keeps the decoder busy for a minute.
    """
    place, scans = 0, 0
    while match := MARKER.search(data, place):
        place, kind = match.end(), match[0][1]
        if kind == END:
            break
        scans += kind == SCAN
        if kind not in WITHOUT_LENGTH:
            place += max(2, int.from_bytes(data[place : place + 2], "big"))
    return scans


class _PillowLimit:
    """Pillow's one limit for the whole process, its only one: set while images are read, then put back.

    Above it Pillow only warns, above twice of it it refuses, also what `check_size` cannot see (a TIFF's
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
