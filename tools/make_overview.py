"""The README's image: held-out photos in rows, styles in columns, each with its painting on top.

python tools/make_overview.py checkpoints/overview.jpg             # every painting that has a network in checkpoints/
python tools/make_overview.py some.jpg starry starry-small        # these
"""

import sys
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from stylenet.data.painting import STYLES
from stylenet.media.image import resize, to_image
from stylenet.models.catalog import find_style, styles
from stylenet.models.style_file import read_style
from stylenet.models.transformer_net import TransformerNet
from stylenet.release.pages import shown_photos

STYLIZED, CELL, GAP = 512, 152, 4  # pixels: the side at which it is stylized, and the side that is shown
PHOTOS = ("vash-gon", "singapore", "kingfisher", "neuschwanstein", "tree-in-field")  # a face, a night, an animal, …


def cell(image: Image.Image) -> Image.Image:
    return ImageOps.expand(ImageOps.fit(image, (CELL, CELL), Image.Resampling.LANCZOS), (0, 0, GAP, GAP), "white")


@torch.inference_mode()
def column(network: TransformerNet, photos: Float[Tensor, "n 3 s s"]) -> list[Image.Image]:
    return [cell(to_image(network(photo[None])[0])) for photo in photos]


def main() -> None:
    target, *chosen = sys.argv[1:]
    photos = shown_photos(STYLIZED, PHOTOS)
    columns = [[Image.new("RGB", (CELL + GAP, CELL + GAP), "white"), *(cell(to_image(photo)) for photo in photos)]]
    for style in chosen or [name for name in styles() if (STYLES / f"{name}.jpg").exists()]:
        painting = Image.open(STYLES / f"{style.partition('-')[0]}.jpg").convert("RGB")
        columns.append([cell(resize(painting, CELL)), *column(read_style(find_style(style))[0], photos)])
    side = CELL + GAP
    gallery = Image.new("RGB", (side * len(columns) - GAP, side * len(columns[0]) - GAP), "white")
    for x, images in enumerate(columns):
        for y, image in enumerate(images):
            gallery.paste(image, (x * side, y * side))
    gallery.save(Path(target), quality=80)


if __name__ == "__main__":
    main()
