"""The record of a sweep: one for each run, and at the end a table, the best command and the report."""

import logging
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path

from stylenet.cli.command import complain, program
from stylenet.cli.train_arguments import as_typed
from stylenet.errors import UserError
from stylenet.report import write_report
from stylenet.report.runs import read_run
from stylenet.report.sweep import Record, best_of, read_records, table, write_record
from stylenet.training.objective import objective_value
from stylenet.training.run_folder import OUTPUTS

log = logging.getLogger(__name__)


def record_run(
    sweep: Path, number: int, overrides: Sequence[str], objective: str | None, error: Exception | None, command: str
) -> float:
    """Records how a run of the sweep ended, and returns its objective: NaN for a run that failed."""
    from stylenet.training.loggers import run_folders

    folder, value = run_folders.pop() if run_folders else None, math.nan
    run = read_run(folder) if folder else None
    objective = objective or str(run.settings.get("objective", "") if run else "")
    if run and error is None:
        value = objective_value(objective, run.held_out)
    text = (str(error).splitlines() or [type(error).__name__])[0] if error else ""
    if folder and not text and math.isnan(value):
        text = f"no {objective} was measured"
    typed = [as_typed(override) for override in overrides if not override.startswith("sweep=")]
    write_record(
        sweep,
        Record(
            number, typed, folder, objective, value, text, f"python {command}" if command.endswith(".py") else command
        ),
    )
    return value


def new_sweep_folder() -> Path:
    """The folder of a sweep that begins now, not yet made."""
    return OUTPUTS / "sweeps" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def recorded(train: Callable[[list[str]], int], sweep: Path) -> Callable[[list[str]], int]:
    """The function, with a record in the sweep's folder of how each of its calls ended."""
    numbers = count()

    def call(run: list[str]) -> int:
        number, error = next(numbers), None
        try:
            code = train(run)
        except Exception as raised:
            error = raised
            raise
        finally:
            record_run(sweep, number, run, None, error, program())
        return code

    return call


def finish_search(sweep: Path) -> int:
    """As `finish_sweep`, with a line to standard error where runs failed."""
    code, records = finish_sweep(sweep), read_records(sweep)
    if failed := [record for record in records if record.error]:
        complain(f"error: {len(failed)} of {len(records)} runs failed, the last one: {failed[-1].error}")
    return code


def all_failed(sweep: Path) -> bool:
    """Whether the sweep has runs, and no objective of any."""
    records = read_records(sweep)
    return bool(records) and best_of(records) is None


def finish_sweep(sweep: Path) -> int:
    """Logs the result of a sweep as a table, the best settings as a command, and the report's place.

    Returns 1 if a run failed.
    """
    records = read_records(sweep)
    if not records:
        return 0
    for line in table(records):
        log.info(line)
    if best := best_of(records):
        log.info("best: %s", best.typed)
    try:
        log.info("report: %s", write_report(sweep))
    except UserError as error:
        log.warning("%s", error)
    return int(any(record.error for record in records))
