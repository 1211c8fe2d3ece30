"""`stylenet export starry -o starry.onnx`: a trained network for other runtimes, without PyTorch."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser
from stylenet.cli.infer_options import STYLE
from stylenet.disk import check_writable, shown
from stylenet.errors import UserError
from stylenet.export.settings import CHANNELS, SUFFIX
from stylenet.models.catalog import find_reference

DESCRIPTION = """\
Exports a trained network to ONNX, for ONNX Runtime, OpenVINO and browsers. Input and output are uint8 images
`batch height width channels` of any size. A file of many styles gives a second input: blend weights `batch styles`."""
EXAMPLES = """\
examples:
  stylenet export starry -o starry.onnx               RGB, for programs
  stylenet export starry -o starry.onnx --channels 4  RGBA, for the browser page
  stylenet export gallery#wave                        one style of many
  stylenet export gallery                             all of them, with weights as a second input
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    options = parsed(arguments)
    reference = find_reference(options.style)
    target = options.output or Path(f"{reference.name}{SUFFIX}")
    check_target(target, reference.file, named=options.output is not None)
    from stylenet.export.onnx import export_onnx  # after the checks: torch takes seconds to import
    from stylenet.models.loading import load_style

    network, card = load_style(reference)
    try:
        export_onnx(network, card, target, options.channels)
    except OSError as error:
        raise UserError(f"cannot write {shown(target)}: {error.strerror}") from error
    print(f"{shown(target)}: {target.stat().st_size / 1e6:.2f} MB")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(DESCRIPTION, EXAMPLES)
    parser.add_argument("style", metavar="STYLE", help=STYLE)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"default: STYLE{SUFFIX}")
    parser.add_argument(
        "--channels", type=int, choices=CHANNELS, default=CHANNELS[0], help="3: RGB (default); 4: RGBA, alpha is kept"
    )
    return parser.parse_args(arguments)


def check_target(target: Path, style: Path, named: bool) -> None:
    """Raises `UserError` for another suffix, a place that cannot be written, and rather than replace a file unasked."""
    if target.suffix.lower() != SUFFIX:
        raise UserError(f"-o must end in {SUFFIX}, got {shown(target)}")
    if not named and target.exists():
        raise UserError(f"{shown(target)} exists; choose another file with -o")
    check_writable(target, style)
