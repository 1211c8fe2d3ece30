"""`stylenet report`: one HTML file about training runs, made from the files in their folders."""

from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser

EXAMPLES = """examples:
  stylenet report outputs                      all runs: outputs/report.html
  stylenet report outputs/starry -o starry.html
  stylenet report outputs/sweeps/my-search     one sweep: settings, objective, the best command"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report and prints where it is; returns the exit code."""
    parser = Parser("Writes one self-contained HTML file about the training runs in a folder.", EXAMPLES)
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="outputs/, a folder in it, a run folder, or a sweep's"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: FOLDER/report.html")
    chosen = parser.parse_args(arguments)
    from stylenet.report import write_report  # imported late, so that --help is quick

    print(write_report(chosen.folder, chosen.output))
    return 0
