"""Picture files for tests: whole ones, odd ones, and every kind of bad one, with the name of its kind."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

COLUMNS, ROWS = np.meshgrid(np.arange(0, 240, 4), np.arange(0, 160, 4))
GRADIENT = np.dstack([COLUMNS, ROWS, np.full((40, 60), 99)]).astype(np.uint8)

# A profile that swaps red and green.
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREEN_FIRST = (
    SRGB.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
)  # a profile that swaps red and green


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


JPEG = encoded(GRADIENT, "JPEG", quality=95)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header promises more than there is."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


PLAIN = encoded(GRADIENT)
TEXT_BOMB = PLAIN[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 25))) + PLAIN[33:]  # 33: after IHDR


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


SKIPPED: dict[str, tuple[bytes, str]] = (
    {
        "empty.jpg": (b"", "empty"),
        "nul.jpg": (bytes(5000), "not an image"),
        "text.jpg": (b"not a picture\n" * 50, "not an image"),
        "metadata.csv": (b"file_name,text\na.jpg,b\n", "not an image"),
        "one.png": (encoded(GRADIENT[:1, :1]), "too small"),
        "line.png": (encoded(np.zeros((1, 50_000, 3), np.uint8)), "too small"),
        "bomb.png": (png_of(50_000, 50_000), "too large"),
        "large.png": (
            png_of(13_400, 13_400),
            "too large",
        ),  # 179.6 million pixels
        # Pillow raises ValueError for this one, where it has OSError for most.
        "text-bomb.png": (TEXT_BOMB, "truncated or damaged"),
        "half.png": (png_of(100, 100), "truncated or damaged"),
    }
    | {f"cut{tenth}.jpg": (JPEG[: len(JPEG) * tenth // 10], "truncated or damaged") for tenth in range(5, 10)}
)

CONVERTED: dict[str, tuple[bytes, str]] = {
    "gray.png": (encoded(GRADIENT[..., 0]), "grayscale"),
    "cmyk.jpg": (encoded(Image.fromarray(GRADIENT).convert("CMYK"), "JPEG"), "CMYK"),
    "palette.gif": (encoded(Image.fromarray(GRADIENT).quantize(16), "GIF"), "palette"),
    "deep.png": (encoded(GRADIENT[..., 0].astype(np.uint16) * 257), "16-bit or more"),
    "alpha.png": (encoded(np.dstack([GRADIENT, GRADIENT[..., 0]])), "alpha"),
    "turned.jpg": (encoded(GRADIENT, "JPEG", exif=exif_of(6)), "rotated by EXIF"),
    "moving.gif": (
        encoded(Image.fromarray(GRADIENT), "GIF", save_all=True, append_images=[Image.fromarray(GRADIENT[::-1])]),
        "first of several frames",
    ),
}
