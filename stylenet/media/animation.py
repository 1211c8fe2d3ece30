"""Animations joined from still pictures' files, one frame at a time: GIF, PNG and WebP.

Pillow's own writers hold all frames in memory. Here each frame is a whole picture of its own, which costs
nothing: a stylized frame differs from the last one everywhere.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import count

FOR_EVER = 0
MOST = 65_535  # of milliseconds, hundredths of a second, or plays, where a format has 16 bits for them


@dataclass(frozen=True)
class Show:
    """What an animation's frames share: width, height, how many there are, how often all are shown (0: for ever)."""

    width: int
    height: int
    count: int
    plays: int


Stills = Iterable[tuple[bytes, float]]  # a frame as a file of its own, and its milliseconds


def join_gif(file: BufferedIOBase, stills: Stills, show: Show) -> None:
    """Writes an animated GIF of still ones, each with its own colors (GIF89a specification)."""
    file.write(b"GIF89a" + struct.pack("<HHxxx", show.width, show.height))
    if show.plays != 1:  # without this block it plays once, with it it's repeated as often as it says
        repeats = min(max(show.plays - 1, FOR_EVER), MOST)
        file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<Hx", repeats))
    for still, milliseconds in stills:
        bits = still[10] & 0b111  # of the number of colors, less one
        colors, rest = still[13 : 13 + (6 << bits)], still[13 + (6 << bits) : -1]
        control, rest = (rest[:8], rest[8:]) if rest[:2] == b"!\xf9" else (bytes(8), rest)
        flags = 2 << 2 | control[3] & 1  # each frame is cleared away before the next; is one color transparent?
        hundredths = min(round(milliseconds / 10), MOST)
        file.write(struct.pack("<BBBBHBx", 0x21, 0xF9, 4, flags, hundredths, control[6]))
        file.write(rest[:9] + bytes([rest[9] | 0x80 | bits]) + colors + rest[10:])
    file.write(b";")


def join_png(file: BufferedIOBase, stills: Stills, show: Show) -> None:
    """Writes an animated PNG of still ones, which must all be of one mode (PNG specification, third edition)."""
    number = count()  # of the chunks that make the animation
    for index, (still, milliseconds) in enumerate(stills):
        header, *chunks = _png_chunks(still)
        if index == 0:
            about = [chunk for chunk in chunks if chunk[0] not in (b"IDAT", b"IEND")]
            animation = b"acTL", struct.pack(">II", show.count, show.plays)
            file.write(still[:8] + b"".join(_chunk(*chunk) for chunk in (header, animation, *about)))
        duration = min(round(milliseconds), MOST), 1000  # a fraction of a second
        control = struct.pack(">IIIIIHHBB", next(number), show.width, show.height, 0, 0, *duration, 0, 0)
        file.write(_chunk(b"fcTL", control))
        for data in (data for name, data in chunks if name == b"IDAT"):
            first = index == 0
            file.write(_chunk(b"IDAT", data) if first else _chunk(b"fdAT", struct.pack(">I", next(number)) + data))
    file.write(_chunk(b"IEND", b""))


def _png_chunks(still: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(still):
        length, name = struct.unpack_from(">I4s", still, place)
        yield name, still[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def join_webp(file: BufferedIOBase, stills: Stills, show: Show) -> None:
    """Writes an animated WebP of still ones (WebP container specification); `file` must be seekable."""
    start, exif = file.tell(), b""
    sides = _three_bytes(show.width - 1) + _three_bytes(show.height - 1)
    for index, (still, milliseconds) in enumerate(stills):
        chunks = dict(_riff_chunks(still))
        if index == 0:
            profile, exif = (_riff(name, chunks[name]) if name in chunks else b"" for name in (b"ICCP", b"EXIF"))
            flags = 0b10010 | bool(profile) << 5 | bool(exif) << 3  # animated, and it may be transparent
            header = _riff(b"VP8X", bytes([flags, 0, 0, 0]) + sides)
            repeat = _riff(b"ANIM", bytes(4) + struct.pack("<H", min(show.plays, MOST)))
            file.write(b"RIFF\0\0\0\0WEBP" + header + profile + repeat)
        place = bytes(6) + sides + _three_bytes(round(milliseconds)) + b"\x02"  # drawn over nothing
        pixels = (_riff(name, chunks[name]) for name in (b"ALPH", b"VP8 ", b"VP8L") if name in chunks)
        file.write(_riff(b"ANMF", place + b"".join(pixels)))
    file.write(exif)
    length = file.tell() - start
    file.seek(start + 4)
    file.write(struct.pack("<I", length - 8))


def _riff_chunks(still: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place < len(still):
        name, length = struct.unpack_from("<4sI", still, place)
        yield name, still[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _three_bytes(value: int) -> bytes:
    return min(value, 2**24 - 1).to_bytes(3, "little")


JOIN: dict[str, Callable[[BufferedIOBase, Stills, Show], None]] = {"GIF": join_gif, "PNG": join_png, "WEBP": join_webp}
