"""The options of `infer`, and the checks of their values."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser, typed_program, whole_number
from stylenet.cli.infer_video import add_video_options, smoothing_of
from stylenet.disk import printable
from stylenet.engines.settings import ENGINES, TORCH, check_engine
from stylenet.errors import UserError
from stylenet.inference.settings import Brush
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import MAXIMUM_PIXELS, MINIMUM_SIDE
from stylenet.pipeline.job import Job
from stylenet.pipeline.targets import would_replace

STYLE = "a name in checkpoints/, a style file, hf:USER/REPO, or one style of a file of many: gallery#wave"
DEVICE = "auto (default: the fastest available), cpu, cuda, cuda:1 or mps"
EXAMPLES = """\
examples:
  {program} photo.jpg -s starry                       writes photo-starry.jpg beside it
  {program} holiday/ 'more/*.png' -s wave -o styled   writes into the folder styled
"""


def parser() -> Parser:
    result = Parser("Stylizes images and videos with a trained network.", EXAMPLES.format(program=typed_program()))
    add_main_options(result)
    add_mask_options(add_brush_options(result))
    for add_options in (add_size_options, add_file_options, add_video_options):
        add_options(result)
    return result


def add_main_options(to: Parser) -> None:
    add = to.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="image, video, folder, glob, or numbered images (frames/%%04d.png); - is standard input; names after -- "
        "may begin with a dash",
    )
    add(
        "-s",
        "--style",
        action="append",
        metavar="STYLE[:WEIGHT]",
        help=f"{STYLE}; given several times, the weighted mean of the results: -s starry:0.7 -s wave:0.3",
    )
    add(
        "--painting",
        metavar="FILE",
        help="instead of -s: a preview in the style of this painting, predicted without training by a network of "
        "many styles (checkpoints/gallery.safetensors); written to INPUT-preview-PAINTING.SUFFIX",
    )
    add(
        "-o",
        "--output",
        metavar="DIR_OR_FILE",
        help="a file, whose suffix chooses the format (.jpg, .png, .mp4, .gif …), or a pattern such as out/%%04d.png; "
        "else a folder, created if missing; - is standard output; default: INPUT-STYLE.SUFFIX beside each input",
    )
    add("--device", default="auto", metavar="DEVICE", help=DEVICE)
    add(
        "--engine",
        choices=ENGINES,
        default=TORCH,
        help="what applies the network: torch (default), or on the CPU onnx (ONNX Runtime) or openvino, which process "
        "images whole and need pip install 'stylenet[onnx]' or 'stylenet[openvino]'",
    )
    add("--list", action="store_true", help="list available styles")


def add_brush_options(to: Parser) -> argparse._ArgumentGroup:
    """Adds the options of `Brush`, which `controls_of` reads; returns their group."""
    group = to.add_argument_group(
        "style controls", "Options combine and are applied in this order: stroke, style, colors, strength, mask."
    )
    add = group.add_argument
    add(
        "--strength",
        type=float,
        default=1.0,
        metavar="NUMBER",
        help="0 = the original, 1 = full style (default); up to 1.5 exaggerates it",
    )
    add(
        "--stroke",
        type=float,
        default=1.0,
        metavar="NUMBER",
        help="stroke width, 0.5 to 2 times the style's own, with the image's edges kept; the time is divided by its "
        "square",
    )
    add("--match-colors", action="store_true", help="fit the result's palette to the original's")
    add("--keep-colors", action="store_true", help="keep the original's colors; take only luminance from the style")
    return group


def add_mask_options(to: argparse._ArgumentGroup) -> None:
    add = to.add_argument
    add(
        "--mask",
        metavar="FILE",
        help="mask image, stretched to the input: the style is applied where it is white, mixed where it is gray; "
        "with two styles, the first is applied to white and the second to black areas",
    )
    add("--mask-invert", action="store_true", help="invert the mask")


def add_size_options(to: Parser) -> None:
    group = to.add_argument_group(
        "size",
        "Strokes have a fixed size in pixels, so they look broader in a smaller image.\nDefault: the input's own size.",
    )
    side = whole_number(MINIMUM_SIDE)
    group.add_argument("--size", type=side, metavar="N", help="resize the short side to N pixels")
    group.add_argument("--max-size", type=side, metavar="N", help="limit the long side to N pixels")
    group.add_argument(
        "--max-pixels",
        type=whole_number(1),
        default=MAXIMUM_PIXELS,
        metavar="N",
        help="refuse images of more than N pixels; default: %(default)s",
    )


def add_file_options(to: Parser) -> None:
    group = to.add_argument_group("files")
    add_format_options(group)
    shard = "process every Nth image from the Kth on, 1/N to N/N: one task of an array job; needs -o"
    group.add_argument("--shard", metavar="K/N", help=shard)


def add_format_options(to: argparse._ArgumentGroup) -> None:
    """Adds the options that any command has which writes many image files."""
    add, formats = to.add_argument, [suffix[1:] for suffix in WRITABLE]
    own = "format of the results; default: by the output's name, else each image's own, else PNG"
    add("--format", choices=formats, metavar="FORMAT", help=f"{', '.join(formats)}: {own}")
    add("--quality", type=whole_number(1, 100), metavar="1…100", help="quality of JPEG and WebP; default: 92")
    add("--skip-existing", action="store_true", help="skip images whose result exists (resumes an interrupted batch)")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The options, with the style controls as `brush`. Raises `UserError`.

    Names behind a `--` are set aside, as argparse before 3.13 loses some among options.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser().parse_intermixed_args(arguments[:end])
    options.inputs += arguments[end + 1 :]
    options.brush = controls_of(options)
    return options


def controls_of(options: argparse.Namespace) -> Brush:
    """The style controls that the options ask for. Raises `UserError`, which names the option."""
    try:
        return Brush(options.strength, options.stroke, options.keep_colors, options.match_colors)
    except UserError as error:
        raise UserError(f"--{error}") from error


def check_engine_options(options: argparse.Namespace, frames: bool) -> None:
    """Raises `UserError` for an engine that is not installed, or that lacks what other options ask for.

    `frames`: whether clips or live frames are stylized.
    """
    if options.engine == TORCH:
        return
    check_engine(options.engine)
    if options.device not in ("auto", "cpu"):
        raise UserError(f"--engine {options.engine} runs on the CPU, not on {printable(options.device)}")
    if frames and smoothing_of(options):
        raise UserError(f"--engine {options.engine} has no temporal smoothing: --steady 0, or --engine {TORCH}")


def check_files(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Raises `UserError` for an inverted mask without a mask, and for results that would overwrite mask or painting."""
    if options.mask_invert and options.mask is None:
        raise UserError("--mask-invert needs --mask FILE")
    for option, file in {"--mask": options.mask, "--painting": options.painting}.items():
        if file is not None and os.path.exists(file) and any(would_replace(job, Path(file)) for job in jobs):
            raise UserError(f"{option} {printable(file)} would be overwritten; choose another output with -o")
