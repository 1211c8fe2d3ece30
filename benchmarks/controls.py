"""A contact sheet of every control: `python benchmarks/controls.py PHOTO STYLE [STYLE] SHEET.png`.

With two styles it shows their blends as well. Each image has its options as a label.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from stylenet.inference.blend import Blend
from stylenet.inference.painter import Painter
from stylenet.inference.settings import Brush
from stylenet.inference.stylizer import Stylizer
from stylenet.media.encoders import write_image
from stylenet.media.image import decode_image, resize

SIDE, COLUMNS, LABEL = 256, 5, 14  # pixels, images, pixels
BRUSHES = {
    "strength 0.25": Brush(strength=0.25),
    "strength 0.5": Brush(strength=0.5),
    "strength 1.5": Brush(strength=1.5),
    "stroke 0.5": Brush(stroke=0.5),
    "stroke 2": Brush(stroke=2.0),
    "match colors": Brush(match_colors=True),
    "keep colors": Brush(keep_colors=True),
    "match and keep colors": Brush(match_colors=True, keep_colors=True),
}
TOGETHER = Brush(strength=0.8, stroke=1.5, keep_colors=True)


def images(photo: Image.Image, painters: list[Painter]) -> dict[str, Image.Image]:
    """The photo under each control, by its name."""
    left = np.linspace(1.5, -0.5, photo.width, dtype=np.float32).clip(0, 1)[None].repeat(photo.height, axis=0)
    first = painters[0]
    made = {"photo": photo, "the style's look": first.stylize(photo)}
    made |= {name: first.stylize(photo, brush) for name, brush in BRUSHES.items()}
    made["mask: left"] = first.stylize(photo, mask=left)
    made["mask, inverted"] = first.stylize(photo, mask=1 - left)
    made["strength 0.8, stroke 1.5, keep, mask"] = first.stylize(photo, TOGETHER, left)
    for second in painters[1:]:
        made["blend 0.7 : 0.3"] = Blend([(first, 0.7), (second, 0.3)]).stylize(photo)
        made["two styles, mask: left"] = Blend([(first, 1.0), (second, 1.0)]).stylize(photo, mask=left)
    return made


def sheet(made: dict[str, Image.Image]) -> Image.Image:
    """The images in rows, each with its name above it."""
    width, height = next(iter(made.values())).size
    rows = -(-len(made) // COLUMNS)
    result = Image.new("RGB", (COLUMNS * width, rows * (height + LABEL)), "white")
    draw = ImageDraw.Draw(result)
    for number, (name, image) in enumerate(made.items()):
        place = (number % COLUMNS * width, number // COLUMNS * (height + LABEL))
        draw.text((place[0] + 2, place[1]), name, fill="black")
        result.paste(image, (place[0], place[1] + LABEL))
    return result


def main() -> None:
    if {"-h", "--help"} & set(sys.argv) or len(sys.argv) < 4:
        sys.exit(__doc__)
    photo, *styles, output = sys.argv[1:]
    painters: list[Painter] = [Stylizer.load(style) for style in styles]
    made = images(resize(decode_image(photo), SIDE), painters)
    write_image(Path(output), sheet(made))


if __name__ == "__main__":
    main()
