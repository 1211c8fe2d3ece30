"""Imports a network that was trained elsewhere.

  stylenet convert mosaic.pth      writes mosaic.safetensors

Reads the checkpoints of pytorch/examples' fast_neural_style and of the many programs that use the same layer names, of
any width and with any number of residual blocks.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser
from stylenet.disk import printable
from stylenet.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the style file and prints the command that uses it; returns the exit code."""
    chosen = parse_arguments(arguments)
    if not chosen.file.is_file():
        raise UserError(f"there is no file {printable(chosen.file)}")
    from stylenet.cli.convert_run import convert  # after the arguments were checked: torch takes a second
    from stylenet.models.catalog import infer_command

    print(infer_command(convert(chosen.file, chosen.output, chosen.name)))
    return 0


def parse_arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("file", type=Path, metavar="CHECKPOINT", help="a file such as mosaic.pth or mosaic.model")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the style file to write; default: CHECKPOINT with the suffix .safetensors",
    )
    parser.add_argument("--name", metavar="NAME", help="the style's name on its card; default: CHECKPOINT's")
    return parser.parse_args(list(sys.argv[1:] if typed is None else typed))
