"""Picture files made to crash a decoder, or to keep it and the memory busy; each by what is wrong with it."""

import struct
import zlib
from collections.abc import Mapping

from pictures import GRADIENT, JPEG, PLAIN, chunk, encoded, png_of
from PIL import Image

MUCH = zlib.compress(bytes(50_000_000))  # 50 KB


def png(*chunks: bytes) -> bytes:
    return PLAIN[:8] + b"".join(chunks) + chunk(b"IEND", b"")


def header(width: int, height: int, depth: int = 8, kind: int = 2, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))


def pngs() -> dict[str, bytes]:
    rows = chunk(b"IDAT", zlib.compress(bytes(64 * 200)))
    return {
        "169 megapixels of nothing": png_of(13_000, 13_000),
        "more than the limit": png_of(50_000, 50_000),
        "height of 2^31 - 1": png_of(16, 2**31 - 1),
        "no width": png_of(0, 16),
        "colors of kind 7": png(header(16, 16, kind=7), rows),
        "interlaced in a way of its own": png(header(16, 16, interlaced=9), rows),
        "pixels that go on and on": png(header(16, 16), chunk(b"IDAT", MUCH)),
        "text that unpacks to 50 megabytes": PLAIN[:33] + chunk(b"zTXt", b"a\0\0" + MUCH) + PLAIN[33:],
        "profile that unpacks to 50 megabytes": PLAIN[:33] + chunk(b"iCCP", b"a\0\0" + MUCH) + PLAIN[33:],
        "50,000 empty chunks": PLAIN[:33] + 50_000 * chunk(b"teXt", b"") + PLAIN[33:],
        "chunk of 2 GB": PLAIN[:33] + struct.pack(">I", 2**31 - 1) + b"zTXt" + PLAIN[33:],
        "palette without colors": png(header(16, 16, kind=3), chunk(b"PLTE", b""), rows),
        "frames without end": PLAIN[:33] + chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + PLAIN[33:],
    }


def jpegs() -> dict[str, bytes]:
    sides = JPEG.index(b"\xff\xc0") + 5
    progressive = encoded(GRADIENT, "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    own_tail = struct.pack("<HHHII", 1, 0x0112, 3, 1, 6) + struct.pack("<I", 8)  # a directory that is its own successor
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + own_tail
    return {
        "no sides": JPEG[:sides] + bytes(4) + JPEG[sides + 4 :],
        "65,500 pixels a side": JPEG[:sides] + struct.pack(">HH", 65_500, 65_500) + JPEG[sides + 4 :],
        "169 megapixels of one scan": JPEG[:sides] + struct.pack(">HH", 13_000, 13_000) + JPEG[sides + 4 :],
        "100,000 scans": progressive[:-2] + 100_000 * scan + progressive[-2:],
        "255 colors": JPEG[: sides + 4] + b"\xff" + JPEG[sides + 5 :],
        "nothing but starts": 50_000 * b"\xff\xd8",
        "EXIF in a circle": encoded(GRADIENT, "JPEG", exif=exif),
        "profile of nonsense": encoded(Image.fromarray(GRADIENT).convert("CMYK"), "JPEG", icc_profile=bytes(3000)),
    }


def tiff(changes: Mapping[int, tuple[int, int, int]], successor: int = 0) -> bytes:
    """16 x 16 grays; `changes` are tags with their type, count and value."""
    tags = {256: (3, 1, 16), 257: (3, 1, 16), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8)}
    tags |= {277: (3, 1, 1), 278: (3, 1, 16), 279: (4, 1, 256), **changes}
    entries = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items()))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", successor)
    return b"II*\0" + struct.pack("<I", 264) + bytes(256) + directory


def tiffs() -> dict[str, bytes]:
    tiles = {322: (4, 1, 2**31), 323: (4, 1, 2**31), 324: (4, 1, 8), 325: (4, 1, 256)}
    return {
        "pages in a circle": tiff({}, successor=264),
        "4 billion strips": tiff({273: (4, 2**32 - 1, 8), 279: (4, 2**32 - 1, 8)}),
        "tiles of 2^31 pixels": tiff(tiles),
        "65,535 colors": tiff({277: (3, 1, 65_535)}),
        "no bits": tiff({258: (3, 1, 0)}),
        "169 megapixels in 256 bytes": tiff({256: (4, 1, 13_000), 257: (4, 1, 13_000), 278: (4, 1, 13_000)}),
        "strip of 4 GB": tiff({279: (4, 1, 2**32 - 1)}),
        "strip behind the end": tiff({273: (4, 1, 2**32 - 16), 259: (3, 1, 5)}),
        "orientation of 65,535": tiff({274: (3, 1, 65_535)}),
        "BigTIFF without an end": b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63 - 1),
    }


def gif(width: int, height: int, left: int = 0, code: int = 2, data: bytes = b"\x02\x4c\x01\0") -> bytes:
    frame = struct.pack("<BHHHHB", 0x2C, left, left, 16, 16, 0)
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame + bytes([code]) + data + b";"


def stretched_gif() -> bytes:
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, 13_000, 2_000, 0) + b"\x02\x02\x4c\x01\0"
    return encoded(GRADIENT, "GIF")[:-1] + frame + b";"


def others() -> dict[str, bytes]:
    bmp, webp, avif = (encoded(GRADIENT, kind) for kind in ("BMP", "WEBP", "AVIF"))
    return {
        "GIF whose second frame is larger than the limit": stretched_gif(),
        "GIF of 65,535 pixels a side": gif(65_535, 65_535),
        "GIF of 169 megapixels": gif(13_000, 13_000),
        "GIF with a frame outside": gif(16, 16, left=60_000),
        "GIF with codes of 200 bits": gif(16, 16, code=200),
        "GIF of endless blocks": gif(16, 16, data=100_000 * b"\x01\x4c"),
        "BMP with a height of -2^31": bmp[:22] + struct.pack("<i", -(2**31)) + bmp[26:],
        "BMP of 4 billion colors": bmp[:28]
        + struct.pack("<H", 8)
        + bmp[30:46]
        + struct.pack("<I", 2**32 - 1)
        + bmp[50:],
        "BMP of runs": bmp[:28] + struct.pack("<HI", 8, 1) + bmp[34:54] + 10_000 * b"\xff\x01",
        "WebP with a length of 4 GB": webp[:4] + struct.pack("<I", 2**32 - 1) + webp[8:],
        "WebP of 2^24 pixels a side": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + 6 * b"\xff" + webp[12:],
        "AVIF without a picture": avif[:36],
        "AVIF of 2^31 pixels a side": _with_sides(avif, 2**31),
        "PPM of 500 digits": b"P6 " + 500 * b"9" + b" 1 255\n",
        "PPM of 2^32 pixels a side": b"P6 4294967296 4294967296 255\n",
        "PPM less than nothing": b"P6 -16 -16 255\n" + bytes(999),
        "PPM of one endless word": b"P3 16 16 255\n" + 1_000_000 * b"1",
        "PPM of remarks": b"P6\n" + 200_000 * b"#\n" + b"16 16 255\n" + bytes(768),
        "float map of endless brightness": b"Pf 16 16 -1e308\n" + struct.pack("<f", float("inf")) * 256,
    }


def _with_sides(avif: bytes, side: int) -> bytes:
    place = avif.index(b"ispe") + 8
    return avif[:place] + struct.pack(">II", side, side) + avif[place + 8 :]


def hostile_pictures() -> dict[str, bytes]:
    """All of them."""
    return pngs() | jpegs() | tiffs() | others()
