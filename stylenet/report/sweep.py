"""A sweep's record: a small file for each of its runs, in the sweep's own folder.

A file for each, because runs of one sweep may end at the same time on several machines.
"""

import json
import math
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import atomic_write
from stylenet.report.page import Sweep
from stylenet.report.runs import Run, read_run

RECORDS = "runs"


@dataclass(frozen=True)
class Record:
    """The outcome of one run: its settings as typed, its folder if it made one, and its objective or its error."""

    number: int
    overrides: Sequence[str]
    folder: Path | None = None
    objective_name: str = ""
    objective: float | None = None
    error: str = ""
    command: str = "stylenet train"

    @property
    def typed(self) -> str:
        """The command that makes this run again, outside the sweep."""
        return f"{self.command} {' '.join(map(shlex.quote, self.overrides))}"


def write_record(sweep: Path, record: Record) -> None:
    """Adds a run to the sweep's folder."""
    finite = record.objective is not None and math.isfinite(record.objective)
    values = {
        "number": record.number,
        "overrides": list(record.overrides),
        "folder": os.path.relpath(record.folder, sweep) if record.folder else None,
        "objective_name": record.objective_name,
        "objective": record.objective if finite else None,
        "error": record.error,
        "command": record.command,
    }
    names = sweep / RECORDS
    names.mkdir(parents=True, exist_ok=True)
    count = len(list(names.glob("*.json")))  # a study that is resumed counts its runs from 0 again
    with atomic_write(names / f"{count:05d}-{os.getpid()}-{record.number}.json") as temporary:
        temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_records(sweep: Path) -> list[Record]:
    """The sweep's runs in the order of their ends; files that cannot be read are left out."""
    return [record for path in sorted((sweep / RECORDS).glob("*.json")) if (record := _record(path, sweep))]


def _record(path: Path, sweep: Path) -> Record | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        folder, objective = values["folder"], values["objective"]
        return Record(
            int(values["number"]),
            [str(override) for override in values["overrides"]],
            Path(os.path.normpath(sweep / str(folder))) if folder else None,
            str(values["objective_name"]),
            None if objective is None else float(objective),
            str(values["error"]),
            str(values["command"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def best_of(records: Sequence[Record]) -> Record | None:
    """The run with the lowest objective."""
    return min((r for r in records if r.objective is not None), key=lambda r: r.objective or 0.0, default=None)


def runs_of(records: Sequence[Record]) -> list[Run]:
    """The runs of a sweep, a failed one as a row that gives its error."""
    return [_run(record) for record in records]


def _run(record: Record) -> Run:
    if record.folder is None:
        settings = dict(override.split("=", 1) for override in record.overrides if "=" in override)
        return Run(Path(), f"run {record.number}", settings, problem=record.error or "no figures")
    run = read_run(record.folder)
    run.objective = record.objective
    run.problem = record.error or run.problem
    return run


def as_sweep(records: Sequence[Record]) -> Sweep:
    best = best_of(records)
    name = next((record.objective_name for record in records if record.objective_name), "")
    return Sweep(name, best.typed if best else "")


def table(records: Sequence[Record]) -> list[str]:
    """Lines for a terminal: runs from the best to the worst, failed ones last, by the settings that differ."""
    common = set.intersection(*(set(record.overrides) for record in records)) if len(records) > 1 else set()
    ordered = sorted(records, key=lambda record: math.inf if record.objective is None else record.objective)
    name = next((record.objective_name for record in records if record.objective_name), "objective")
    lines = [f"{name:>20}  settings"]
    for record in ordered:
        value = f"{record.objective:.4f}" if record.objective is not None else ("failed" if record.error else "–")
        own = " ".join(override for override in record.overrides if override not in common)
        lines.append(f"{value:>{len(lines[0]) - 10}}  {own}{'  # ' + record.error if record.error else ''}")
    return lines
