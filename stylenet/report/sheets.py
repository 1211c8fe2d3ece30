"""Contact sheets as JPEG data in the page, smaller and fewer where a report would grow too large."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from stylenet.evaluation.contact_sheet import GAP

PIXELS = 40_000_000  # of a sheet; a larger file is none of ours
WHITE = 200  # and above: a gap, after JPEG
# How many sheets, the width in pixels of the last and of the others, from the best to the least.
LEVELS = ((24, 1200, 800), (16, 1000, 640), (10, 800, 480), (6, 640, 400), (3, 560, 320), (1, 480, 480))
BYTES_PER_PIXEL = 0.4  # of a small JPEG in base64, about: where to begin
LAST_QUALITY, QUALITY = 80, 70


@dataclass(frozen=True)
class Cell:
    """The places of a photo and its result in a sheet, as shares of its width and height."""

    left: float
    width: float
    photo_top: float
    result_top: float
    height: float


@dataclass(frozen=True)
class Shown:
    """The sheets of one run: step and JPEG data URI; `cells` of the last.

    `left_out` counts those that are not shown, and `damaged` those of them that cannot be read.
    """

    sheets: tuple[tuple[int, str], ...] = ()
    size: tuple[int, int] = (0, 0)
    cells: tuple[Cell, ...] = ()
    left_out: int = 0
    damaged: int = 0
    reduced: bool = False


def thumbnails(sheets: Sequence[tuple[int, Path]], budget: int) -> Shown:
    """The best level that fits into so many bytes; nothing where none does. Sheets that cannot be read are left out."""
    for level, (count, last, others) in enumerate(LEVELS):
        chosen = spread(sheets, count)
        if BYTES_PER_PIXEL / 4 * 0.4 * (last**2 + (len(chosen) - 1) * others**2) > budget and level + 1 < len(LEVELS):
            continue
        shown = encode_sheet(chosen, last, others)
        if sum(len(data) for _, data in shown.sheets) <= budget:
            return replace(shown, left_out=len(sheets) - len(shown.sheets), reduced=level > 0)
    return Shown(left_out=len(sheets), reduced=bool(sheets))


def spread(sheets: Sequence[tuple[int, Path]], count: int) -> list[tuple[int, Path]]:
    """So many of them, evenly spread, the last one among them."""
    if len(sheets) <= count:
        return list(sheets)
    places = np.linspace(0, len(sheets) - 1, count + 1)[1:]
    return [sheets[round(float(place))] for place in places]


def encode_sheet(sheets: Sequence[tuple[int, Path]], last: int, others: int) -> Shown:
    found: list[tuple[int, str]] = []
    size: tuple[int, int] = (0, 0)
    cells: tuple[Cell, ...] = ()
    damaged = 0
    for number, (step, path) in enumerate(sheets, start=1):
        picture = open_sheet(path)
        if picture is None:
            damaged += 1
            continue
        final = number == len(sheets)
        size, cells = picture.size, find_cells(picture) if final else ()
        found.append((step, data_uri(picture, last if final else others, LAST_QUALITY if final else QUALITY)))
    return Shown(tuple(found), size, cells, damaged=damaged)


def open_sheet(path: Path) -> Image.Image | None:
    try:
        with Image.open(path, formats=("JPEG",)) as file:
            return file.convert("RGB") if file.width * file.height <= PIXELS else None
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def data_uri(picture: Image.Image, width: int, quality: int) -> str:
    """A JPEG no wider than `width`, for the `src` of an image."""
    if picture.width > width:
        picture = picture.resize(
            (width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS
        )
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def find_cells(sheet: Image.Image) -> tuple[Cell, ...]:
    """The photos in a contact sheet and the results below them; none where it is not laid out as one.

    Photos are squares with a white gap after each, two gaps after the last; the painting follows.
    """
    pixels = np.asarray(sheet.convert("L"))
    height, width = pixels.shape
    side, pitch = height // 2 - GAP, height // 2
    cells: list[Cell] = []
    while side > 0 and (len(cells) + 1) * pitch <= width:
        left = len(cells) * pitch
        if pixels[:, left + side : left + pitch].mean() < WHITE:
            return ()
        cells.append(Cell(left / width, side / width, 0.0, pitch / height, side / height))
        if pixels[:, left + pitch : left + pitch + GAP].mean() >= WHITE:
            return tuple(cells)
    return tuple(cells)
