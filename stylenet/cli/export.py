"""`stylenet export starry -o starry.onnx`: a trained network for other runtimes, without PyTorch."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser
from stylenet.cli.infer_options import STYLE
from stylenet.disk import check_writable, printable
from stylenet.errors import UserError
from stylenet.export.settings import CHANNELS, FORMATS, ONNX
from stylenet.models.catalog import StyleReference, find_reference

DESCRIPTION = """\
Exports a trained network to ONNX, for ONNX Runtime, OpenVINO and browsers. Input and output are uint8 images
`batch height width channels` of any size. A file of many styles gives a second input: blend weights `batch styles`.
Or to ExecuTorch, for phones: RGB `1 3 256 256` in [0, 1]."""
EXAMPLES = """\
examples:
  stylenet export starry -o starry.onnx               RGB, for programs
  stylenet export starry -o starry.onnx --channels 4  RGBA, for the browser page
  stylenet export gallery#wave                        one style of many
  stylenet export gallery                             all of them, with weights as a second input
  stylenet export starry-small --format executorch    256 px, for phones
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    options = parse_arguments(arguments)
    reference = find_reference(options.style)
    suffix = FORMATS[options.format]
    target = options.output or Path(f"{reference.name}{suffix}")
    check_target(target, suffix, reference.file, named=options.output is not None)
    if options.format != ONNX and options.channels != CHANNELS[0]:
        raise UserError(f"--channels {options.channels} is for ONNX: an ExecuTorch file takes RGB")
    try:
        export(reference, options.format, target, options.channels)
    except OSError as error:
        raise UserError(f"cannot write {printable(target)}: {error.strerror}") from error
    print(f"{printable(target)}: {target.stat().st_size / 1e6:.2f} MB")
    return 0


def export(style: StyleReference, format: str, target: Path, channels: int) -> None:
    """Writes the style in a format. Imports late: torch takes seconds."""
    from stylenet.models.loading import load_single_style, load_style

    if format == ONNX:
        from stylenet.export.onnx import export_onnx

        network, card = load_style(style)
        export_onnx(network, card, target, channels)
    else:
        from stylenet.export.executorch import export_executorch

        export_executorch(load_single_style(style)[0], target)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(DESCRIPTION, EXAMPLES)
    parser.add_argument("style", metavar="STYLE", help=STYLE)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: STYLE.onnx, or .pte")
    parser.add_argument("--format", choices=FORMATS, default=ONNX, help="default: onnx")
    parser.add_argument(
        "--channels", type=int, choices=CHANNELS, default=CHANNELS[0], help="3: RGB (default); 4: RGBA, alpha is kept"
    )
    return parser.parse_args(arguments)


def check_target(target: Path, suffix: str, style: Path, named: bool) -> None:
    """Raises `UserError` for another suffix, a place that cannot be written, and rather than replace a file unasked."""
    if target.suffix.lower() != suffix:
        raise UserError(f"-o must end in {suffix}, got {printable(target)}")
    if not named and target.exists():
        raise UserError(f"{printable(target)} exists; choose another file with -o")
    check_writable(target, style)
