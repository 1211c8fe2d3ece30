"""The command line of `infer.py`: its options, and what they ask for."""

import argparse
from collections.abc import Callable, Sequence

from stylenet.cli.command import Parser
from stylenet.cli.infer_video import add_video_options
from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.inference.brush import Brush
from stylenet.inference.mask import Mask, as_mask
from stylenet.media.decoders import MAXIMUM_PIXELS, ImageError, opened_image
from stylenet.media.formats import WRITABLE
from stylenet.media.image import MINIMUM_SIDE, upright
from stylenet.pipeline.plan import Job

EXAMPLES = """\
examples:
  python infer.py photo.jpg -s starry                 writes photo-starry.jpg beside it
  python infer.py holiday/ 'more/*.png' -s wave -o styled   writes into the folder styled
"""


def parser() -> Parser:
    result = Parser(description="Stylizes pictures with a trained network.", epilog=EXAMPLES)
    for add_options in (add_main_options, add_brush_options, add_size_options, add_file_options, add_video_options):
        add_options(result)
    return result


def add_main_options(to: Parser) -> None:
    add = to.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="picture, folder or glob (after --, also with a leading dash); - is standard input",
    )
    add(
        "-s",
        "--style",
        action="append",
        metavar="STYLE[:WEIGHT]",
        help="a style of checkpoints/, a style file, or one style of a file of many, as in gallery#wave; "
        "given several times, the mean of their pictures, as in "
        "-s starry:0.7 -s wave:0.3 (the time is that of all together; styles of one "
        "file of many take that of one)",
    )
    add(
        "--painting",
        metavar="FILE",
        help="in place of -s: a preview in the style of this painting, which a network of many styles predicts "
        "without training (needs checkpoints/gallery.safetensors)",
    )
    add(
        "-o",
        "--output",
        metavar="DIR_OR_FILE",
        help="a file if it has a picture's suffix (which gives the format), else a folder, made if need be; "
        "- is standard output; default: <stem>-<style>.<ext> beside each input",
    )
    add("--device", default="auto", help="cpu, cuda, cuda:1, mps; default: the fastest available")
    add("--list", action="store_true", help="print the styles there are")


def add_brush_options(to: Parser) -> None:
    """The options of how a style is applied; `brush_and_mask` reads them."""
    add = to.add_argument_group(
        "a hand on the brush", "All of it together, in the order: stroke, style, colors, strength, mask."
    ).add_argument
    add(
        "--strength",
        type=float,
        default=1.0,
        metavar="NUMBER",
        help="0 is the photo, 1 the style's own look (default), up to 1.5 goes further the same way",
    )
    add(
        "--stroke",
        type=float,
        default=1.0,
        metavar="NUMBER",
        help="width of the strokes, from 0.5 to 2 times the style's own, with the photo's edges kept; the style's own "
        "is a number of pixels, so it looks half as wide on a photo of twice the size; 2 takes a quarter of the time, "
        "0.5 four times as long",
    )
    add("--match-colors", action="store_true", help="fit the result's palette, as a whole, to the photo's")
    add("--keep-colors", action="store_true", help="keep the colors of the photo, and the style's light and dark")
    add(
        "--mask",
        metavar="FILE",
        help="picture, stretched to the photo: white where the style goes, black where the photo stays, gray between; "
        "of two styles, the first takes the white and the second the black",
    )
    add("--mask-invert", action="store_true", help="black where the style goes")


def add_size_options(to: Parser) -> None:
    group = to.add_argument_group(
        "size",
        "Strokes keep their size in pixels, so they are broader in a smaller picture.\n"
        "Default: the picture's own size.",
    )
    side = whole_number(MINIMUM_SIDE)
    group.add_argument("--size", type=side, metavar="N", help="the result's short side gets N pixels")
    group.add_argument(
        "--max-pixels",
        type=whole_number(1),
        default=MAXIMUM_PIXELS,
        metavar="N",
        help="refuse pictures with more; default: %(default)s",
    )
    group.add_argument("--max-size", type=side, metavar="N", help="the result's long side gets N pixels at most")


def add_file_options(to: Parser) -> None:
    add = to.add_argument_group("files").add_argument
    formats = [suffix[1:] for suffix in WRITABLE]
    add("--format", choices=formats, help="of the results; default: the output's, or each input's own, else PNG")
    add("--quality", type=whole_number(1, 100), metavar="1…100", help="of JPEG and WebP; default: 92")
    add("--skip-existing", action="store_true", help="leave out results that are there: goes on after a stop")


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """What argparse makes of an option's text."""
    allowed = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(f"must be {allowed}, got {text}")
        return int(text)

    return number


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options; names behind a `--` are set aside, as argparse before 3.13 loses some among options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser().parse_intermixed_args(arguments[:end])
    options.inputs += arguments[end + 1 :]
    return options


def brush_and_mask(options: argparse.Namespace, jobs: Sequence[Job] = ()) -> tuple[Brush, Mask | None]:
    """What the options of `add_brush` ask for. Raises `UserError`, which names the option."""
    try:
        brush = Brush(options.strength, options.stroke, options.keep_colors, options.match_colors)
    except UserError as error:
        raise UserError(f"--{error}") from error
    if options.mask is None:
        if options.mask_invert:
            raise UserError("--mask-invert needs --mask FILE")
        return brush, None
    try:
        with opened_image(options.mask) as image:
            mask = as_mask(upright(image))
    except ImageError as error:
        raise UserError(f"--mask {error}") from error
    if any(job.target.exists() and job.target.samefile(options.mask) for job in jobs):
        raise UserError(f"--mask {shown(options.mask)} would be overwritten; choose another output with -o")
    return brush, 1 - mask if options.mask_invert else mask
