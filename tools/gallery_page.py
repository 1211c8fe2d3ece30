"""The page and the sheet of a network of many styles: each style's painting, and what it makes of two photos.

python tools/gallery_page.py checkpoints/gallery.safetensors paintings/shipped
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps

from stylenet.disk import atomic_write
from stylenet.media.image import decode_image, to_image
from stylenet.models.conditional import ConditionalNet
from stylenet.models.style_file import read_style
from stylenet.release.pages import shown_photos

STYLIZED, CELL, GAP, ACROSS = 384, 84, 3, 8  # pixels; styles in a row
PHOTOS = (1, 3)  # of those on the contact sheets: a building, a landscape


def sheet(network: ConditionalNet, names: list[str], paintings: Path) -> Image.Image:
    """A row for each style: its painting and the stylized photos."""
    photos = shown_photos(STYLIZED)[list(PHOTOS)]
    side = CELL + GAP
    rows = -(-len(names) // ACROSS)
    whole = Image.new("RGB", (ACROSS * (3 * side + GAP), rows * side), "white")
    for number, name in enumerate(names):
        with torch.inference_mode():
            made = [to_image(network(photo[None], number)[0]) for photo in photos]
        file = next(path for path in paintings.iterdir() if path.stem == name)
        for place, image in enumerate([decode_image(file), *made]):
            at = (number % ACROSS * (3 * side + GAP) + place * side, number // ACROSS * side)
            whole.paste(ImageOps.fit(image.convert("RGB"), (CELL, CELL), Image.Resampling.LANCZOS), at)
    return whole


def page(file: Path, facts: Mapping[str, Any]) -> str:
    training, styles = facts["training"], facts["styles"]
    start = f"the network `{training['init']['style']}`" if training.get("init") else "random weights"
    lines = [
        "# One network for many paintings (`gallery`)",
        "",
        f"![{len(styles)} styles: the painting, and two photos in its style](gallery.jpg)",
        "",
        "`python infer.py photo.jpg -s gallery#NAME`, or `--painting my.jpg` for a painting that is not listed.",
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


def main() -> int:
    file, paintings = map(Path, sys.argv[1:])
    network, card = read_style(file)
    if not isinstance(network, ConditionalNet):
        print(f"gallery_page.py: {file} holds one style", file=sys.stderr)
        return 1
    sheet(network, card.style_names, paintings).save(file.with_suffix(".jpg"), quality=80)
    with atomic_write(file.with_suffix(".md")) as temporary:
        temporary.write_text(page(file, card.facts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
