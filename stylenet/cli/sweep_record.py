"""The record of a sweep: one for each run, and at the end a table, the best command and the report."""

import json
import logging
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from stylenet.cli.command import complain, program
from stylenet.cli.train_arguments import as_typed
from stylenet.disk import atomic_write, printable
from stylenet.errors import UserError
from stylenet.report import write_report
from stylenet.report.runs import read_run
from stylenet.report.sweep import Record, best_of, read_records, table, write_record
from stylenet.training.objective import current_objective, objective_value
from stylenet.training.run_folder import OUTPUTS

log = logging.getLogger(__name__)

STOPPED = UserError("stopped")  # instead of an objective: a network that has learned for a while is no result
STUDY = "search.json"  # beside the study: the settings of the command that began it, and its objective


def check_study(folder: Path, overrides: Sequence[str], objective: str) -> None:
    """Keeps what a search is for in its folder. Raises `UserError` where another search has begun there.

    Its runs would count as this one's, and their best as its result.
    """
    asked = {"overrides": sorted(map(as_typed, overrides)), "objective": current_objective(objective)}
    begun = begun_study(folder)
    if begun is None and not read_records(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / STUDY) as temporary:
            temporary.write_text(json.dumps(asked, indent=1), encoding="utf-8")
    elif begun != asked:
        known = f" ({' '.join(begun['overrides'])}, objective {begun['objective']})" if begun else ""
        another = "hydra.sweeper.study_name=NAME begins one of its own"
        raise UserError(f"{printable(folder)} holds another search{known}; {another}")


def begun_study(folder: Path) -> dict[str, Any] | None:
    """What `check_study` has kept; None where it has not, or an older version made the folder."""
    try:
        values = json.loads((folder / STUDY).read_text(encoding="utf-8"))
        return {
            "overrides": [str(each) for each in values["overrides"]],
            "objective": current_objective(str(values["objective"])),
        }
    except (OSError, ValueError, TypeError, KeyError):
        return None


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


def record_calls(train: Callable[[list[str]], int], sweep: Path) -> Callable[[list[str]], int]:
    """The function, with a record in the sweep's folder of how each of its calls ended."""
    numbers = count()

    def call(run: list[str]) -> int:
        number = next(numbers)
        error: Exception | None = None
        try:
            code = train(run)
            error = STOPPED if code > 128 else None
        except Exception as raised:
            error = raised
            raise
        except BaseException:  # a signal
            error = STOPPED
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
        if best.folder and (file := read_run(best.folder).style_file):
            log.info("its network: %s", printable(file))
    try:
        log.info("report: %s", write_report(sweep))
    except UserError as error:
        log.warning("%s", error)
    return int(any(record.error for record in records))
