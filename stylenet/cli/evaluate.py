"""Measures networks: prints one line of JSON for each style and size.

  stylenet evaluate starry
  stylenet evaluate starry wave --photos holiday/ --size 256 512
  stylenet evaluate starry --photo photo.jpg --against theirs.jpg

Photos are the 16 built-in held-out ones, or those of a folder. The figures are means over them:

  content, style      losses that the network was trained with, without weights
  style_baseline      style loss of the photos themselves
  style_ratio         style over style_baseline
  style_ratio_vgg16   with --judge: the ratio by a loss network that no training optimized
  ssim, lpips         similarity of result and photo (1: equal); with --lpips: their perceptual distance
  shift, noise        change of the result when the photo moves by a pixel, or has some noise
  chroma, contrast_ratio, texture, bands, coarse
                      ratios to the painting (1: as in the painting; null: the painting has none); bands are octaves
                      of stroke sizes from fine to coarse, and coarse is the mean of the three coarsest
  empty               share of flat areas, less the painting's
  color_sw, feature_sw
                      distances to the painting's colors and features
  others              artifacts; 0: none (but contrast: 0 is a uniform image)

--photo and --against compare an image that another tool made of a photo (theirs) with the network's result of that
size (ours). The painting is seen at 512 px, so images with a short side of about 512 px are compared best.

The Gatys equivalent (--gatys N) is the number of steps of direct optimization, up to N, that reach the same loss. It
takes hours on a CPU.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stylenet.cli.command import Parser, complain
from stylenet.errors import UserError
from stylenet.evaluation.settings import LARGEST_SIDE, OPTIMIZERS, SMALLEST_SIDE, EvaluationSettings

NO_MEMORY = "out of memory: fewer photos, or smaller ones, may fit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures each style at each size; one that fails does not end the others. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = parse_arguments(arguments)
    settings = settings_of(chosen)
    if chosen.against:
        failed = sum(not compare_images(style, chosen.photo, chosen.against, settings) for style in chosen.styles)
        return finished(failed, len(chosen.styles))
    from stylenet.data import folder_squares, held_out_photos  # after the arguments were checked: torch takes a second
    from stylenet.device import memory_errors

    failed = 0
    for size in chosen.size:
        try:
            with memory_errors(NO_MEMORY):
                squares = folder_squares(chosen.photos, size) if chosen.photos else held_out_photos(size)[0]
        except UserError as error:
            reason = str(error).removeprefix("data.path=")  # a setting of training
            raise UserError(f"--photos: {reason}" if chosen.photos else str(error)) from error
        failed += sum(not measure_styles(style, squares.float() / 255, settings) for style in chosen.styles)
    return finished(failed, len(chosen.styles) * len(chosen.size))


def finished(failed: int, of: int) -> int:
    """The exit code; of several evaluations, a line says how many failed."""
    if failed and of > 1:
        complain(f"{failed} of {of} evaluations failed")
    return int(failed > 0)


def measure_styles(style: str, photos: Any, settings: EvaluationSettings) -> bool:
    from stylenet.evaluation.report import evaluate

    return print_figures(lambda: evaluate(style, photos, settings))


def compare_images(style: str, photo: str, other: str, settings: EvaluationSettings) -> bool:
    from stylenet.evaluation.comparison import compare

    return print_figures(lambda: compare(style, Path(photo), Path(other), settings))


def print_figures(evaluation: Callable[[], dict[str, Any]]) -> bool:
    """Prints the figures of one style, or why there are none; returns whether it could."""
    from stylenet.device import memory_errors
    from stylenet.evaluation.report import UnknownPaintingError

    try:
        with memory_errors(NO_MEMORY):
            found = evaluation()
        print(json.dumps(found), flush=True)
    except UnknownPaintingError as error:
        complain(f"error: {error}, with --painting FILE")
        return False
    except UserError as error:
        complain(f"error: {error}")
        return False
    return True


def settings_of(chosen: argparse.Namespace) -> EvaluationSettings:
    return EvaluationSettings(
        weights=chosen.weights,
        judge=chosen.judge,
        lpips=chosen.lpips,
        painting=chosen.painting,
        gatys_steps=chosen.gatys,
        gatys_photos=chosen.gatys_photos,
        gatys_optimizers=chosen.gatys_optimizers,
    )


def parse_arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("styles", nargs="+", metavar="STYLE", help="a name in checkpoints/, or a style file")
    parser.add_argument("--photos", metavar="DIR", help="a folder of photos; default: the built-in held-out ones")
    parser.add_argument(
        "--size",
        type=int,
        nargs="+",
        metavar="N",
        help="sides of the square photos in pixels; default: 256",
    )
    parser.add_argument("--painting", metavar="FILE", help="the painting, if it is not in configs/style/")
    parser.add_argument("--photo", metavar="FILE", help="the photo that --against was made of")
    parser.add_argument("--against", metavar="FILE", help="an image that another tool made of --photo")
    add_weights(parser)
    parser.add_argument("--lpips", action="store_true", help="also LPIPS, which needs torchvision's AlexNet (233 MB)")
    parser.add_argument(
        "--judge", metavar="WEIGHTS", help="weights of the judge's VGG16: torchvision (528 MB), or a file"
    )
    add_gatys_options(parser)
    chosen = parser.parse_args(list(sys.argv[1:] if typed is None else typed))
    check_comparison(parser, chosen)
    chosen.size = chosen.size or [256]
    for size in chosen.size:
        if not SMALLEST_SIDE <= size <= LARGEST_SIDE:
            parser.error(f"--size must be from {SMALLEST_SIDE} to {LARGEST_SIDE}, got {size}")
    check_gatys(parser, chosen)
    return chosen


def check_comparison(parser: Parser, chosen: argparse.Namespace) -> None:
    """Raises `UserError` for half a comparison, and for options that it has no use for."""
    for option in ("photos", "photo", "against", "painting", "judge"):
        if getattr(chosen, option) == "":
            parser.error(f"--{option} is empty")
    if bool(chosen.photo) != bool(chosen.against):
        parser.error("--photo and --against belong together: the photo, and an image that was made of it")
    for option in ("photos", "size", "gatys") if chosen.against else ():
        if getattr(chosen, option):
            parser.error(f"--{option} cannot be combined with --against")


def add_weights(parser: Parser) -> None:
    parser.add_argument(
        "--weights",
        metavar="WEIGHTS",
        default="auto",
        help="weights of the loss network: auto (default), torchvision, or a file",
    )


def add_gatys_options(
    parser: Parser, steps: int = 0, photos: int | None = None, defaults: Sequence[str] = OPTIMIZERS
) -> None:
    optimizers = parser.add_argument_group("Gatys equivalent").add_argument
    optimizers(
        "--gatys",
        type=int,
        default=steps,
        metavar="N",
        help=f"search up to N steps; 0: none; default: {steps}",
    )
    optimizers(
        "--gatys-photos",
        type=int,
        default=photos,
        metavar="M",
        help=f"on the first M photos only; default: {photos or 'all'}",
    )
    shown = {"nargs": "+", "choices": OPTIMIZERS, "default": defaults}
    optimizers("--gatys-optimizers", **shown, help=f"optimizers to try; default: {' '.join(defaults)}")  # type: ignore[arg-type]
    optimizers("--gatys-optimisers", **shown, dest="gatys_optimizers", help=argparse.SUPPRESS)  # type: ignore[arg-type]


def check_gatys(parser: Parser, chosen: argparse.Namespace) -> None:
    """Raises `UserError` for numbers out of range."""
    if chosen.gatys < 0:
        parser.error(f"--gatys must be at least 0, got {chosen.gatys}")
    if chosen.gatys_photos is not None and chosen.gatys_photos < 1:
        parser.error(f"--gatys-photos must be at least 1, got {chosen.gatys_photos}")
