"""The contents of a run folder, read from its files alone: settings, metrics, contact sheets, the style file.

A run folder may be half-written, damaged or from elsewhere. What cannot be read becomes the run's `problem`; no file in
it ends a report.
"""

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from stylenet.disk import printable
from stylenet.models.limits import SUFFIX
from stylenet.models.style_file import StyleFileError, read_card
from stylenet.training.resume import has_figures, steps_of
from stylenet.training.run_folder import LOCK, OLD_RESOLVED, RESOLVED, SETTINGS, is_going, resolved_file

RECORD, METRICS, SHEETS = "hparams.yaml", "metrics.csv", "sheets"
SIGNS = (SETTINGS, RESOLVED, OLD_RESOLVED, METRICS, LOCK)  # a folder with one of these is a run folder
TIME = "%Y-%m-%d_%H-%M-%S"
MAXIMUM_BYTES, MAXIMUM_ROWS = 20_000_000, 1_000_000  # of one text file; of one metrics file
Curve = list[tuple[int, float]]  # step and value


@dataclass
class Run:
    """A run. `settings` are flat (`loss.weights.style`), `curves` by metric name, `sheets` by step."""

    folder: Path
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    held_out: dict[str, float] = field(default_factory=dict)
    sheets: list[tuple[int, Path]] = field(default_factory=list)
    steps: int | None = None  # planned
    done: int = 0
    seconds: float | None = None
    device: str = ""
    style_file: Path | None = None
    finished: bool = False
    going: bool = False  # in a process, now
    problem: str = ""
    objective: float | None = None  # of a run of a sweep

    @property
    def started(self) -> str:
        """Date and time of the start, where the folder is named after it."""
        try:
            return datetime.strptime(self.folder.name[: len("2026-01-01_00-00-00")], TIME).isoformat(" ")
        except ValueError:
            return ""

    @property
    def status(self) -> str:
        if self.problem:
            return self.problem
        if self.finished and not self.going:
            return "finished"
        step = f"step {self.done} of {self.steps}" if self.steps else f"step {self.done}"
        return f"running, {step}" if self.going else f"stopped at {step}"


def find_runs(root: Path) -> Iterator[Path]:
    """The run folders in a folder and all below it, itself included; those within a run folder are not looked for."""
    for folder, below, files in os.walk(root):
        below.sort()
        if any(name in files for name in SIGNS):
            below.clear()
            yield Path(folder)


def read_run(folder: Path) -> Run:
    """Whatever is left of a run."""
    run = Run(folder, folder.parent.name if folder.parent.name else folder.name)
    problems = []
    for part in (_settings, _resolved, _metrics, _record, _sheets, _style):
        try:
            part(run)
        except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError, csv.Error, RecursionError) as error:
            problems.append(f"{part.__name__.strip('_')}: {_reason(error, folder)}")
    run.problem = "; ".join(problems)
    run.going = (folder / LOCK).exists() and is_going(folder)
    return run


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one mapping of dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return found


def _text(path: Path) -> str:
    if path.stat().st_size > MAXIMUM_BYTES:
        raise ValueError(f"{path.name} is larger than {MAXIMUM_BYTES} bytes")
    return path.read_text(encoding="utf-8")


def _settings(run: Run) -> None:
    run.settings = flat(dict(yaml.safe_load(_text(run.folder / SETTINGS))))


def _resolved(run: Run) -> None:
    run.steps = int(json.loads(_text(resolved_file(run.folder)))["steps"])


def _metrics(run: Run) -> None:
    """All parts of a run that was resumed; where they overlap, the later one holds.

    A run that begins or resumes has no `metrics.csv` for its first steps.
    """
    newest = run.folder / METRICS
    parts = sorted(run.folder.glob("metrics-*.csv"), key=_number)
    values: dict[str, dict[int, float]] = {}
    try:
        for path in [*parts, newest] if newest.exists() else parts:
            for step, row in _rows(path):
                for name, value in row.items():
                    values.setdefault(name, {})[step] = value
                run.done = max(run.done, step)
                run.seconds = (run.seconds or 0) + row["speed/seconds"] if "speed/seconds" in row else run.seconds
    finally:  # what was read before a damaged part
        _keep_curves(run, values)


def _keep_curves(run: Run, values: Mapping[str, Mapping[int, float]]) -> None:
    run.curves = {name: sorted(points.items()) for name, points in values.items()}
    run.held_out = {
        name.removeprefix("held_out/"): points[-1][1]
        for name, points in run.curves.items()
        if name.startswith("held_out/")
    }


def _rows(path: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and finite values of each row; a row that is cut off counts for nothing."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in islice(csv.DictReader(file), MAXIMUM_ROWS):
            values = {name: number for name, text in row.items() if name and (number := _finite(text)) is not None}
            step = values.pop("step", None)
            if step is not None:
                yield int(step), values


def _finite(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("metrics-")
    return int(digits) if digits.isdecimal() else 0


def _record(run: Run) -> None:
    """The device, which Lightning's CSV logger wrote beside the metrics."""
    path = run.folder / RECORD
    if path.exists():
        run.device = str(yaml.safe_load(_text(path))["versions"]["device"])


def _sheets(run: Run) -> None:
    paths = [path for path in (run.folder / SHEETS).glob("*.jpg") if path.stem.isdecimal()]
    run.sheets = sorted((int(path.stem), path) for path in paths)


def _style(run: Run) -> None:
    """The style file, whose card has the final figures of a run that came to its end."""
    files = sorted(run.folder.glob(f"*{SUFFIX}"))
    if not files:
        return
    run.style_file = max(files, key=has_figures)  # a run that was resumed with a renamed network has two
    card = read_card(run.style_file)
    run.name = card.name
    figures = {
        str(name): number
        for name, value in dict(card.facts.get("held_out", {})).items()
        if (number := _finite(value)) is not None
    }
    run.held_out |= figures
    run.finished = bool(figures)
    with suppress(KeyError):
        run.done = steps_of(card)


def _reason(error: Exception, folder: Path) -> str:
    """One line: what is wrong, without the machine's paths."""
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{Path(error.filename).name} is missing"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, StyleFileError):
        return str(error).replace(f"{folder}{os.sep}", "")
    return printable(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")[:200]
