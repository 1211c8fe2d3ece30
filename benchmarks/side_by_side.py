"""A contact sheet of photos, what another tool made of each, what ours did, and the painting; a row for each photo:

python benchmarks/side_by_side.py sheet.jpg PHOTO THEIRS OURS PAINTING [PHOTO THEIRS OURS PAINTING ...]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from stylenet.errors import UserError
from stylenet.media.encoders import write_image
from stylenet.media.image import decode_image

COLUMNS = ("photo", "theirs", "ours", "painting")
HEIGHT, LABEL, GAP = 384, 14, 4  # pixels


def row(pictures: Sequence[Image.Image], height: int = HEIGHT) -> Image.Image:
    """The images at one height, each under the name of its column."""
    scaled = [picture.resize((round(picture.width * height / picture.height), height)) for picture in pictures]
    width = sum(picture.width + GAP for picture in scaled) - GAP
    result = Image.new("RGB", (width, LABEL + height), "white")
    draw, left = ImageDraw.Draw(result), 0
    for name, picture in zip(COLUMNS, scaled, strict=True):
        draw.text((left + 2, 0), name, fill="black")
        result.paste(picture, (left, LABEL))
        left += picture.width + GAP
    return result


def sheet(rows: Sequence[Image.Image]) -> Image.Image:
    """The rows below each other."""
    height = sum(each.height + GAP for each in rows) - GAP
    result, top = Image.new("RGB", (max(each.width for each in rows), height), "white"), 0
    for each in rows:
        result.paste(each, (0, top))
        top += each.height + GAP
    return result


def main(typed: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet", type=Path, help="the sheet to write")
    parser.add_argument("files", nargs="+", metavar="PHOTO THEIRS OURS PAINTING")
    parser.add_argument("--height", type=int, default=HEIGHT, help=f"of each image in pixels; default: {HEIGHT}")
    chosen = parser.parse_args(typed)
    if len(chosen.files) % len(COLUMNS):
        parser.error(f"each row needs four files ({', '.join(COLUMNS)}), got {len(chosen.files)}")
    if any(chosen.sheet.resolve() == Path(file).resolve() for file in chosen.files):
        parser.error(f"{chosen.sheet} is one of the images: the sheet must be another file")
    try:
        pictures = [decode_image(file) for file in chosen.files]
        starts = range(0, len(pictures), len(COLUMNS))
        rows = [row(pictures[start : start + len(COLUMNS)], chosen.height) for start in starts]
        write_image(chosen.sheet, sheet(rows))
    except UserError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
