"""Mutations that make a hostile file of a good one; equal random numbers give equal files."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

INTERESTING = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 64, 127, 128, 255, 256, 257, 4096, 13_000, 16_383, 32_767)
INTERESTING += (32_768, 65_535, 65_536, 100_000, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
HEADER = 64  # bytes in which most formats have their sides
PNG = b"\x89PNG\r\n\x1a\n"

Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], bytearray]


def flipped_bits(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    for _bit in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def other_bytes(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    start = rng.randrange(len(data))
    size = min(rng.choice((1, 2, 4, 16, 100)), len(data) - start)
    data[start : start + size] = rng.randbytes(size)
    return data


def cut(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    return data[: rng.randrange(len(data))]


def cut_out(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    start = rng.randrange(len(data))
    del data[start : start + rng.choice((1, 2, 4, 30, 300))]
    return data


def repeated(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    start = rng.randrange(len(data))
    block = data[start : start + rng.choice((1, 4, 12, 64, 500))]
    data[start:start] = block * rng.choice((1, 2, 10, 100))
    return data


def spliced(data: bytearray, rng: random.Random, stock: Sequence[bytes]) -> bytearray:
    """A block of another file, put over or between."""
    other = rng.choice(stock)
    start, place = rng.randrange(len(other)), rng.randrange(len(data))
    block = other[start : start + rng.choice((4, 40, 400, len(other)))]
    data[place : place + rng.choice((0, len(block)))] = block
    return data


def other_number(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    """A length, an offset or a side becomes one that breaks things: in either order of bytes, often early on."""
    kind = rng.choice((">B", ">H", "<H", ">I", "<I", ">I", "<I", "<Q"))
    size = struct.calcsize(kind)
    if len(data) > size:
        reach = min(rng.choice((HEADER, HEADER, len(data))), len(data))
        place = rng.randrange(max(reach - size, 1))
        struct.pack_into(kind, data, place, rng.choice(INTERESTING) % 256**size)
    return data


def other_digits(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    """Mutates numbers in text: the headers of PPM, the JSON of a style file."""
    digits = [i for i, byte in enumerate(data[:5000]) if 48 <= byte < 58]
    if digits:
        place = rng.choice(digits)
        longest = bytes([rng.choice(b"0139")]) * rng.choice((5, 20, 500))
        data[place : place + 1] = rng.choice((b"%d" % rng.choice(INTERESTING), b"-1", b"1e99", longest, b""))
    return data


def resealed(data: bytearray, _dice: random.Random, _stock: Sequence[bytes]) -> bytearray:
    """Puts right the checksums of a PNG's chunks, so that its decoder goes on to what is wrong inside."""
    place = len(PNG)
    while data.startswith(PNG) and place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return data


MUTATIONS: tuple[Mutation, ...] = (
    flipped_bits,
    flipped_bits,
    other_bytes,
    cut,
    cut_out,
    repeated,
    spliced,
    other_number,
    other_number,
    other_number,
    other_digits,
)


def mutated(stock: Sequence[bytes], seed: int, index: int) -> bytes:
    """Input number `index` of the campaign `seed`: one file of the stock after one to four mutations."""
    rng = random.Random(f"{seed}/{index}")
    data = bytearray(rng.choice(stock))
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        if data:
            data = rng.choice(MUTATIONS)(data, rng, stock)
    if rng.random() < 0.8:
        data = resealed(data, rng, stock)
    return bytes(data)
