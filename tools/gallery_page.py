"""The page and the sheet of a network of many styles: each style's painting, and what it makes of two photos.

python tools/gallery_page.py checkpoints/gallery.safetensors paintings/shipped
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image, ImageDraw, ImageFont, ImageOps

from stylenet.disk import atomic_write, plain_name, printable
from stylenet.errors import UserError
from stylenet.inference.loaded_file import LoadedFile
from stylenet.media.image import decode_image, to_image
from stylenet.models.catalog import GALLERY, StyleReference
from stylenet.models.style_file import Card
from stylenet.pipeline.inputs import IMAGE_SUFFIXES
from stylenet.release.pages import shown_photos

STYLIZED, ACROSS, GAP, BETWEEN = 256, 4, 2, 12  # pixels; styles in a row
CELLS = (128, 120, 112, 104, 96, 88, 80)  # pixels: the largest that `LARGEST` has room for
LARGEST, QUALITY = 400_000, 85  # bytes
LABEL, FONT_SIZE = 24, 12  # pixels
SHOWN = ("neuschwanstein", "mountain-lake")  # a building, a landscape

Triple = tuple[Image.Image, ...]  # a painting and the stylized photos


def triples(loaded: LoadedFile, file: Path, paintings: Mapping[str, Path]) -> dict[str, Triple]:
    """The images of each style."""
    photos = shown_photos(STYLIZED, SHOWN)
    found = {}
    for name in loaded.card.style_names:
        stylizer = loaded.stylizer(StyleReference(file, name))
        found[name] = (decode_image(paintings[name]), *(to_image(stylizer.stylize(photo)) for photo in photos))
    return found


def sheet(styles: Mapping[str, Triple], cell: int) -> Image.Image:
    """The styles in rows, with their names below."""
    step = cell + GAP
    wide, high = (1 + len(SHOWN)) * step - GAP + BETWEEN, cell + LABEL
    rows = -(-len(styles) // ACROSS)
    whole = Image.new("RGB", (min(ACROSS, len(styles)) * wide - BETWEEN, rows * high), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(FONT_SIZE)
    for number, (name, images) in enumerate(styles.items()):
        left, top = number % ACROSS * wide, number // ACROSS * high
        for place, image in enumerate(images):
            fitted = ImageOps.fit(image, (cell, cell), Image.Resampling.LANCZOS)
            whole.paste(fitted, (left + place * step, top))
        draw.text((left + 1, top + cell + 2), shortened(name, font, wide - BETWEEN), "black", font)
    return whole


def shortened(name: str, font: Any, width: int) -> str:
    """As much of a name as has room."""
    while name and font.getlength(name) > width:
        name = name[:-1]
    return name


def as_jpeg(styles: Mapping[str, Triple]) -> bytes:
    """The sheet with the largest images that are small enough together."""
    for cell in CELLS:
        result = BytesIO()
        sheet(styles, cell).save(result, "JPEG", quality=QUALITY, optimize=True, progressive=True)
        if len(result.getvalue()) <= LARGEST:
            break
    return result.getvalue()


def page(file: Path, card: Card) -> str:
    facts, name = card.facts, file.stem
    training, styles = facts["training"], facts["styles"]
    start = f"the network `{training['init']['style']}`" if training.get("init") else "random weights"
    preview = ", or `--painting my.jpg` for a painting that is not listed" * (name == GALLERY)
    lines = [
        f"# One network for many paintings (`{name}`)",
        "",
        f"![{len(styles)} styles: the painting, and two photos in its style]({quote(name)}.jpg)",
        "",
        f"`python infer.py photo.jpg -s {name}#NAME`{preview}.",
        "",
        "| | |",
        "|---|---|",
        f"| styles | {len(styles)} |",
        f"| training | {training['steps']} steps of {training['batch']} at {training['crop']} px, rate "
        f"{training['learning_rate']:g}, seed {training['seed']}, from {start} |",
        f"| loss | weights {', '.join(f'{name} {value:g}' for name, value in facts['loss']['weights'].items())} |",
        f"| file | {file.stat().st_size / 1e6:.1f} MB, predictor and its feature extractor included |",
        "",
        "| name | painting | source | license |",
        "|---|---|---|---|",
    ]
    for each in styles:
        work = ", ".join(str(each[key]) for key in ("title", "artist", "year") if each.get(key))
        lines.append(f"| `{each['name']}` | {work} | {each.get('source', '')} | {each.get('license', '')} |")
    return "\n".join(lines) + "\n"


def paintings_in(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The image file of each style, named as the training names it. Raises `UserError` where there is none."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {printable(folder)}")
    images = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES]
    found = {**{plain_name(path.name): path for path in images}, **{path.stem: path for path in images}}
    if missing := [printable(name) for name in names if name not in found]:
        raise UserError(f"{printable(folder)} has no image of: {', '.join(missing)}")
    return {name: found[name] for name in names}


def write(file: Path, folder: Path) -> None:
    """Writes page and sheet beside the style file. Raises `UserError`."""
    loaded = LoadedFile(file)
    if not loaded.card.style_names:
        raise UserError(f"{printable(file)} holds one style")
    image = as_jpeg(triples(loaded, file, paintings_in(folder, loaded.card.style_names)))
    for suffix, content in ((".jpg", image), (".md", page(file, loaded.card).encode())):
        with atomic_write(file.with_suffix(suffix)) as temporary:
            temporary.write_bytes(content)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a style file of many styles")
    parser.add_argument("paintings", type=Path, help="the folder that it was trained on")
    chosen = parser.parse_args()
    try:
        write(chosen.file, chosen.paintings)
    except UserError as error:
        print(f"gallery_page.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
