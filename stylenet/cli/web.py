"""`stylenet web FOLDER`: writes the browser page as static files."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser
from stylenet.disk import check_folder, printable
from stylenet.errors import UserError, first_line
from stylenet.models.catalog import find_reference

DESCRIPTION = """\
Writes the browser page into a folder: style transfer of photos and the camera on the visitor's own machine. Any web
server can serve the folder; no image leaves the browser."""
EXAMPLES = """\
examples:
  stylenet web page && python -m http.server -d page    serves http://localhost:8000
  stylenet web page -s wave -s my-painting.safetensors  adds two networks
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    options = parse_arguments(arguments)
    styles = [find_reference(style) for style in options.style]
    from stylenet.web.site import require_runtime, write_site  # after the checks: torch takes seconds to import

    require_runtime()
    check_folder(options.folder)

    try:
        size = write_site(options.folder, styles)
    except OSError as error:
        raise UserError(
            f"cannot write to {printable(options.folder)}: {error.strerror or first_line(error)}"
        ) from error
    print(f"{printable(options.folder)}: {size / 1e6:.1f} MB")
    return 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="a folder that is empty, missing, or holds an earlier page"
    )
    parser.add_argument(
        "-s",
        "--style",
        action="append",
        default=[],
        metavar="STYLE",
        help="a name in checkpoints/ or a style file to add to the page, which has the small ones of checkpoints/ "
        "already; needs pip install 'stylenet[onnx]'; may be given several times",
    )
    return parser.parse_args(arguments)
