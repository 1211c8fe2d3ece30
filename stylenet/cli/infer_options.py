"""The options of `infer`, and the checks of their values."""

import argparse
import os
from collections.abc import Callable, Sequence

from stylenet.cli.command import Parser
from stylenet.cli.infer_video import add_video_options, memory_of
from stylenet.disk import shown
from stylenet.engines.settings import ENGINES, TORCH, check_engine
from stylenet.errors import UserError
from stylenet.inference.settings import Brush
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import MAXIMUM_PIXELS, MINIMUM_SIDE
from stylenet.pipeline.plan import Job

EXAMPLES = """\
examples:
  python infer.py photo.jpg -s starry                 writes photo-starry.jpg beside it
  python infer.py holiday/ 'more/*.png' -s wave -o styled   writes into the folder styled
"""


def parser() -> Parser:
    result = Parser(description="Stylizes images and videos with a trained network.", epilog=EXAMPLES)
    for add_options in (add_main_options, add_brush_options, add_size_options, add_file_options, add_video_options):
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
        help="a style of checkpoints/, a style file, or one style of a file of many, as in gallery#wave; "
        "given several times: the weighted mean of the results, as in "
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
        help="a file if it has a suffix (which chooses the format: .jpg, .png, .mp4, .gif …) or is a pattern like "
        "out/%%04d.png; else a folder, created if missing; - is standard output; "
        "default: <stem>-<style>.<ext> beside each input",
    )
    add("--device", default="auto", help="cpu, cuda, cuda:1, mps; default: the fastest available")
    add(
        "--engine",
        choices=ENGINES,
        default=TORCH,
        help="what applies the network: torch (default), or on the CPU onnx (ONNX Runtime) or openvino, which process "
        "images whole and need pip install 'stylenet[onnx]' or 'stylenet[openvino]'",
    )
    add("--list", action="store_true", help="list available styles")


def add_brush_options(to: Parser) -> None:
    """Adds the options of `Brush` and the mask; `brush_and_mask` reads them."""
    add = to.add_argument_group(
        "style controls", "Options combine and are applied in this order: stroke, style, colors, strength, mask."
    ).add_argument
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
        help="stroke width, 0.5 to 2 times the style's own, with the image's edges kept; 2 takes a quarter of the "
        "time, 0.5 four times as long",
    )
    add("--match-colors", action="store_true", help="fit the result's palette to the original's")
    add("--keep-colors", action="store_true", help="keep the original's colors; take only luminance from the style")
    add(
        "--mask",
        metavar="FILE",
        help="mask image, stretched to the input: white applies the style, black keeps the original, gray mixes; "
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
    group.add_argument(
        "--max-pixels",
        type=whole_number(1),
        default=MAXIMUM_PIXELS,
        metavar="N",
        help="refuse images with more pixels; default: %(default)s",
    )
    group.add_argument("--max-size", type=side, metavar="N", help="limit the long side to N pixels")


def add_file_options(to: Parser) -> None:
    add = to.add_argument_group("files").add_argument
    formats = [suffix[1:] for suffix in WRITABLE]
    shard = "do every Nth image from the Kth on, 1/N to N/N: one task of an array job; needs -o"
    add("--shard", metavar="K/N", help=shard)
    add(
        "--format",
        choices=formats,
        help="image format of the results; default: the output's, else each input's own, else PNG",
    )
    add("--quality", type=whole_number(1, 100), metavar="1…100", help="quality of JPEG and WebP; default: 92")
    add("--skip-existing", action="store_true", help="skip inputs whose output exists (resumes an interrupted batch)")


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """An argparse type: whole numbers within limits."""
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
    check_engine(options.engine)
    if options.engine == TORCH:
        return
    if options.device not in ("auto", "cpu"):
        raise UserError(f"--engine {options.engine} runs on the CPU, not on {shown(options.device)}")
    if frames and memory_of(options):
        raise UserError(f"--engine {options.engine} has no temporal smoothing: --steady 0, or --engine {TORCH}")


def check_files(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Raises `UserError` for a mask that is not there or would be overwritten by a result."""
    if options.mask is None:
        if options.mask_invert:
            raise UserError("--mask-invert needs --mask FILE")
    elif any(job.target.exists() and job.target.samefile(options.mask) for job in jobs if os.path.exists(options.mask)):
        raise UserError(f"--mask {shown(options.mask)} would be overwritten; choose another output with -o")
