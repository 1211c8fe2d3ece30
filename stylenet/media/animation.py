"""Animations joined from stills, one frame at a time: GIF, PNG and WebP.

Pillow's own writers hold all frames in memory. Here each frame is a whole image of its own, which costs nothing: a
stylized frame differs from the last one everywhere.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import count
from typing import Protocol, runtime_checkable

from stylenet.media.limits import ImageError

FOR_EVER = 0
LONGEST = (1 << 32) - 1  # bytes of a WebP file, whose header has 32 bits for its length
MOST = 65_535  # of milliseconds, hundredths of a second, or plays, where a format has 16 bits for them


@dataclass(frozen=True)
class AnimationInfo:
    """The properties that an animation's frames share: width, height, and number of plays (0: for ever)."""

    width: int
    height: int
    plays: int = FOR_EVER


@runtime_checkable
class Writer(Protocol):
    """Writes an animation frame by frame into a seekable file. `still` is a frame as an image file of its own."""

    def __init__(self, file: BufferedIOBase, info: AnimationInfo) -> None: ...
    def add(self, still: bytes, milliseconds: float) -> None: ...
    def finish(self) -> None: ...


class GifWriter:
    """An animated GIF, each frame with a palette of its own (GIF89a specification)."""

    def __init__(self, file: BufferedIOBase, info: AnimationInfo) -> None:
        self.file = file
        file.write(b"GIF89a" + struct.pack("<HHxxx", info.width, info.height))
        if info.plays != 1:  # without this block it plays once, with it it is repeated as often as it says
            repeats = min(max(info.plays - 1, FOR_EVER), MOST)
            file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<Hx", repeats))

    def add(self, still: bytes, milliseconds: float) -> None:
        bits = still[10] & 0b111  # of the number of colors, less one
        colors, rest = still[13 : 13 + (6 << bits)], still[13 + (6 << bits) : -1]
        control, rest = (rest[:8], rest[8:]) if rest[:2] == b"!\xf9" else (bytes(8), rest)
        flags = 2 << 2 | control[3] & 1  # each frame is cleared before the next; is one color transparent?
        hundredths = min(round(milliseconds / 10), MOST)
        self.file.write(struct.pack("<BBBBHBx", 0x21, 0xF9, 4, flags, hundredths, control[6]))
        self.file.write(rest[:9] + bytes([rest[9] | 0x80 | bits]) + colors + rest[10:])

    def finish(self) -> None:
        self.file.write(b";")


class PngWriter:
    """An animated PNG; its frames must all be of one mode (PNG specification, third edition)."""

    def __init__(self, file: BufferedIOBase, info: AnimationInfo) -> None:
        self.file, self.info = file, info
        self.frames, self.number = 0, count()  # of the chunks that make the animation
        self.place = 0  # of the number of frames, which is known in the end

    def add(self, still: bytes, milliseconds: float) -> None:
        header, *chunks = _png_chunks(still)
        if self.frames == 0:
            self.begin(still[:8], header, [chunk for chunk in chunks if chunk[0] not in (b"IDAT", b"IEND")])
        duration = min(round(milliseconds), MOST), 1000  # a fraction of a second
        sides = self.info.width, self.info.height
        self.file.write(_chunk(b"fcTL", struct.pack(">IIIIIHHBB", next(self.number), *sides, 0, 0, *duration, 0, 0)))
        for data in (data for name, data in chunks if name == b"IDAT"):
            first = self.frames == 0
            self.file.write(
                _chunk(b"IDAT", data) if first else _chunk(b"fdAT", struct.pack(">I", next(self.number)) + data)
            )
        self.frames += 1

    def begin(self, signature: bytes, header: tuple[bytes, bytes], about: list[tuple[bytes, bytes]]) -> None:
        self.file.write(signature + _chunk(*header))
        self.place = self.file.tell()
        self.file.write(self.control() + b"".join(_chunk(*chunk) for chunk in about))

    def control(self) -> bytes:
        return _chunk(b"acTL", struct.pack(">II", self.frames, self.info.plays))

    def finish(self) -> None:
        self.file.write(_chunk(b"IEND", b""))
        end = self.file.tell()
        self.file.seek(self.place)
        self.file.write(self.control())
        self.file.seek(end)


class WebpWriter:
    """An animated WebP (WebP container specification)."""

    def __init__(self, file: BufferedIOBase, info: AnimationInfo) -> None:
        self.file, self.info = file, info
        self.start, self.exif, self.frames = file.tell(), b"", 0
        self.sides = _three_bytes(info.width - 1) + _three_bytes(info.height - 1)

    def add(self, still: bytes, milliseconds: float) -> None:
        chunks = dict(_riff_chunks(still))
        if self.frames == 0:
            self.begin(chunks)
        self.frames += 1
        place = bytes(6) + self.sides + _three_bytes(round(milliseconds)) + b"\x02"  # drawn over nothing
        pixels = (_riff(name, chunks[name]) for name in (b"ALPH", b"VP8 ", b"VP8L") if name in chunks)
        frame = _riff(b"ANMF", place + b"".join(pixels))
        if self.file.tell() - self.start + len(frame) + len(self.exif) > LONGEST:
            raise ImageError("a WebP file holds at most 4 GiB")
        self.file.write(frame)

    def begin(self, chunks: dict[bytes, bytes]) -> None:
        profile, self.exif = (_riff(name, chunks[name]) if name in chunks else b"" for name in (b"ICCP", b"EXIF"))
        flags = 0b10010 | bool(profile) << 5 | bool(self.exif) << 3  # animated, and it may be transparent
        header = _riff(b"VP8X", bytes([flags, 0, 0, 0]) + self.sides)
        repeat = _riff(b"ANIM", bytes(4) + struct.pack("<H", min(self.info.plays, MOST)))
        self.file.write(b"RIFF\0\0\0\0WEBP" + header + profile + repeat)

    def finish(self) -> None:
        self.file.write(self.exif)
        length = self.file.tell() - self.start
        self.file.seek(self.start + 4)
        self.file.write(struct.pack("<I", length - 8))


def _png_chunks(still: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(still):
        length, name = struct.unpack_from(">I4s", still, place)
        yield name, still[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


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


WRITERS: dict[str, Callable[[BufferedIOBase, AnimationInfo], Writer]] = {
    "GIF": GifWriter,
    "PNG": PngWriter,
    "WEBP": WebpWriter,
}


def join(file: BufferedIOBase, stills: Iterable[tuple[bytes, float]], info: AnimationInfo, format: str) -> None:
    """Writes an animation of stills, each with its milliseconds, in a format of `WRITERS`."""
    writer = WRITERS[format](file, info)
    for still, milliseconds in stills:
        writer.add(still, float(milliseconds))
    writer.finish()
