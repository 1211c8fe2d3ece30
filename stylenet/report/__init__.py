"""Reports of training runs: one self-contained HTML file, made from the files in their folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from stylenet.disk import atomic_write, check_writable, printable
from stylenet.errors import UserError
from stylenet.report.page import LIMIT, Sweep, page
from stylenet.report.runs import METRICS, Run, find_runs, read_run
from stylenet.report.sweep import as_sweep, read_records, runs_of

NAME = "report.html"


def write_report(root: Path, output: Path | None = None, limit: int = LIMIT) -> Path:
    """Writes the report of all runs in a folder, or of one run or one sweep: `report.html` in it, or `output`.

    At most `limit` bytes: contact sheets are made smaller and fewer where needed. Raises `UserError` for a folder
    without runs, or a place that cannot be written.
    """
    if not root.is_dir():
        raise UserError(f"{printable(root)} is not a folder")
    runs, sweep = runs_in(root)
    if not runs:
        raise UserError(f"{printable(root)} has no training runs")
    place = output or root / NAME
    check_writable(place, *(run.folder / METRICS for run in runs))
    title = f"{'Sweep' if sweep else 'Training runs in'} {printable(root.resolve().name)}"
    text = page(runs, title, place.parent, sweep, limit)
    try:
        with atomic_write(place) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"the report cannot be written to {printable(place)}: {error.strerror}") from error
    return place


def runs_in(root: Path) -> tuple[Sequence[Run], Sweep | None]:
    """The runs of a sweep's folder, or all run folders found."""
    root = Path(os.path.abspath(root))  # runs are named by the folder around them
    if records := read_records(root):
        return runs_of(records), as_sweep(records)
    return [read_run(folder) for folder in find_runs(root)], None
