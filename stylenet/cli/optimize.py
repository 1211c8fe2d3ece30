"""Stylizes one image by optimization: it needs a painting, no trained network, and minutes.

  stylenet optimize photo.jpg configs/style/wave.jpg -o result.jpg
  stylenet optimize photo.jpg painting.png --steps 100 --start noise --every 20

The image is optimized at a small size first and refined at each doubling, with the painting at the same scale.
"""

import argparse
import logging
import math
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser
from stylenet.cli.evaluate import add_weights
from stylenet.cli.infer_options import DEVICE
from stylenet.disk import OverwriteError, check_writable, find_file, printable
from stylenet.errors import UserError
from stylenet.evaluation.settings import OPTIMIZERS, STARTS

SMALLEST = 64  # pixels, short side: below it no stroke of the painting is left


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks everything that can be wrong, optimizes, and writes the result; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = parse_arguments(arguments)
    check_files(chosen)
    from stylenet.cli.optimize_run import (  # after the arguments were checked: torch takes a second
        optimize_image,
        write,
    )

    write(chosen.output, optimize_image(chosen))
    print(printable(chosen.output))
    return 0


def check_files(chosen: argparse.Namespace) -> None:
    """Finds the inputs and makes sure that the result can be written. Raises `UserError`."""
    painting = find_file(os.fspath(chosen.painting))
    if painting is None:
        raise UserError(f"there is no painting {printable(chosen.painting)}")
    if not chosen.photo.is_file():
        raise UserError(f"there is no photo {printable(chosen.photo)}")
    chosen.painting = painting
    from stylenet.media.formats import format_of

    format_of(chosen.output)
    for source in (chosen.photo, chosen.painting):
        if would_overwrite(chosen, source):
            raise OverwriteError(f"the result would overwrite {printable(source)}")
    check_writable(chosen.output)


def would_overwrite(chosen: argparse.Namespace, source: Path) -> bool:
    """Whether the result, or with `--every` an image on the way to it, has the place of an input."""
    output = chosen.output.resolve()
    if output == source.resolve() or (output.exists() and output.samefile(source)):
        return True
    on_the_way = re.compile(rf"{re.escape(output.stem)}-\d+-\d+{re.escape(output.suffix)}", re.IGNORECASE)
    beside = source.resolve().parent == output.parent
    return bool(chosen.every and beside and on_the_way.fullmatch(source.resolve().name))


def parse_arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(__doc__)
    add = parser.add_argument
    add("photo", type=Path, metavar="PHOTO", help="the image to stylize")
    add("painting", metavar="PAINTING", help="the image whose style it gets")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the result; default: PHOTO-optimized.png beside the photo",
    )
    add("--size", type=int, default=512, metavar="N", help="short side of the result in pixels; default: 512")
    add("--style-size", type=int, default=512, metavar="N", help="short side of the painting in pixels; default: 512")
    add("--steps", type=int, default=100, metavar="N", help="evaluations of the loss at each size; default: 100")
    add("--scales", type=int, default=2, metavar="N", help="number of sizes, from coarse to fine; default: 2")
    add("--start", choices=STARTS, default="photo", help="the image to start from; default: photo")
    add("--optimizer", choices=OPTIMIZERS, default="lbfgs", metavar="NAME", help="lbfgs (default) or adam")
    add("--style-weight", type=float, metavar="NUMBER", help="weight of the style loss; default: as in training")
    add("--every", type=int, default=0, metavar="N", help="also write the image after every N steps")
    add_weights(parser)
    add("--device", default="auto", metavar="DEVICE", help=DEVICE)
    chosen = parser.parse_args(list(sys.argv[1:] if typed is None else typed))
    for name, least in {"size": SMALLEST, "style_size": SMALLEST, "steps": 1, "scales": 1, "every": 0}.items():
        if getattr(chosen, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}, got {getattr(chosen, name)}")
    if chosen.style_weight is not None and not 0 < chosen.style_weight < math.inf:
        parser.error(f"--style-weight must be more than 0, got {chosen.style_weight}")
    chosen.output = chosen.output or chosen.photo.with_name(f"{chosen.photo.stem}-optimized.png")
    return chosen
