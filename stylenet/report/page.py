"""The report: one HTML file without anything from elsewhere, that works by e-mail and from a disk."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stylenet.report.curves import charts, hue
from stylenet.report.runs import Run
from stylenet.report.sheets import Cell, Shown, thumbnails

LIMIT = 10_000_000  # bytes of the whole file
BESIDE_SHEETS, NOTE = 1400, 200  # bytes of a run's slider and dividers, or of the line instead of them
CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
# Settings that say what the painting is, or change nothing about the network.
PAINTING = ("image", "title", "artist", "year", "died", "source", "license", "name")
DESCRIPTIVE = (*(f"style.{name}" for name in PAINTING), "logger.", "replace", "resume", "objective")
MAXIMUM_COLUMNS, MAXIMUM_VALUE = 12, 40  # of settings that differ; characters of a value in the table
NOTHING = "–"


@dataclass(frozen=True)
class Sweep:
    """The parts of a sweep's report beside its runs: the objective, and the command of the best run."""

    objective: str = ""
    best: str = ""


def page(runs: Sequence[Run], title: str, place: Path, sweep: Sweep | None = None, limit: int = LIMIT) -> str:
    """The report as HTML, of at most `limit` bytes but for the table. Links are relative to the folder `place`."""
    drawn, table = charts(runs), table_of(runs, place, sweep)
    settings = True

    def whole(shown: Sequence[Shown]) -> str:
        each = shown or [Shown()] * len(runs)
        sections = [section(number, run, place, each[number], settings) for number, run in enumerate(runs)]
        data = {f"run-{number}": without_last(sheets) for number, sheets in enumerate(shown) if sheets.sheets}
        return frame(title, summary(runs, shown, settings), table, drawn, sections, data, sweep)

    text = bytes_of(whole([]))
    if text > limit - NOTE * len(runs):
        settings = False
        text = bytes_of(whole([]))
    budget = limit - text
    while True:
        page = whole(all_thumbnails(runs, budget))
        excess = bytes_of(page) - limit
        if excess <= 0 or budget <= 0:
            return page
        budget -= excess


def bytes_of(text: str) -> int:
    """Its length as it is written: half characters, as in names of files that are not UTF-8, are replaced."""
    return len(text.encode(errors="replace"))


def all_thumbnails(runs: Sequence[Run], budget: int) -> list[Shown]:
    """The sheets of all runs. Runs with few go first, so that what they do not need is left to the others."""
    found = [Shown()] * len(runs)
    order = sorted(range(len(runs)), key=lambda number: len(runs[number].sheets))
    for place, number in enumerate(order):
        share = max(0, budget) // (len(order) - place) - BESIDE_SHEETS
        found[number] = thumbnails(runs[number].sheets, share)
        budget -= sum(len(data) + 40 for _, data in found[number].sheets)
        budget -= BESIDE_SHEETS if found[number].sheets else NOTE
    return found


def without_last(shown: Shown) -> list[tuple[int, str]]:
    """Steps and data for the slider. The last sheet stands in the page itself, which shows it without scripts too."""
    return [*shown.sheets[:-1], (shown.sheets[-1][0], "")]


def frame(
    title: str,
    about: str,
    table: str,
    drawn: Sequence[str],
    sections: Sequence[str],
    data: Mapping[str, Any],
    sweep: Sweep | None,
) -> str:
    here = Path(__file__)
    sheets = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{CSP}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{here.with_suffix('.css').read_text(encoding='utf-8')}</style></head><body>",
            f'<header><h1>{escape(title)}</h1><p class="faint">{about}</p>{best(sweep)}</header>',
            f'<main><div class="scroll">{table}</div>',
            f'<h2>Curves</h2><div class="charts">{"".join(drawn)}</div>' if drawn else "",
            "<h2>Runs</h2>",
            *sections,
            f'</main><script type="application/json" id="sheets">{sheets}</script>',
            f"<script>{here.with_suffix('.js').read_text(encoding='utf-8')}</script></body></html>\n",
        ]
    )


def summary(runs: Sequence[Run], shown: Sequence[Shown], settings: bool) -> str:
    finished = sum(run.finished and not run.problem for run in runs)
    parts = [f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}, {finished} finished"]
    if broken := sum(bool(run.problem) for run in runs):
        parts.append(f"{broken} with a problem")
    if left_out := sum(sheets.left_out - sheets.damaged for sheets in shown):
        parts.append(f"{left_out} contact sheets left out to keep this file small")
    if damaged := sum(sheets.damaged for sheets in shown):
        parts.append(f"{damaged} contact sheets that cannot be read")
    if not settings:
        parts.append("the settings of each run left out to keep this file small")
    return "; ".join(parts)


def best(sweep: Sweep | None) -> str:
    if not (sweep and sweep.best):
        return ""
    return f"<p>Best by {escape(sweep.objective or 'objective')} (lower is better):</p><pre>{escape(sweep.best)}</pre>"


def table_of(runs: Sequence[Run], place: Path, sweep: Sweep | None) -> str:
    """A row for each run."""
    differing = settings_that_differ(runs)
    figures = list(dict.fromkeys(name for run in runs for name in run.held_out))
    objective = ["objective"] if sweep else []
    heads = ["Run", "Started", *objective, *differing, "Steps", *figures, "Minutes", "Device", "Style file", "Status"]
    words = {"Run", "Started", "Device", "Style file", "Status"}
    head = "".join(
        f"<th{' class=words' if name in words else ''}><button>{escape(name)}</button></th>" for name in heads
    )
    rows = "".join(row(number, run, place, differing, figures, bool(sweep)) for number, run in enumerate(runs))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def row(number: int, run: Run, place: Path, differing: Sequence[str], figures: Sequence[str], objective: bool) -> str:
    swatch = f'<span class="swatch" style="--hue:{hue(number)}"></span>'
    cells = [f'<td data-value="{escape(run.name)}">{swatch}<a href="#run-{number}">{escape(run.name)}</a></td>']
    cells.append(f'<td class="words">{escape(run.started)}</td>')
    if objective:
        cells.append(cell(run.objective))
    cells += [cell(run.settings.get(name)) for name in differing]
    cells.append(cell(run.done if run.done or not run.problem else None))
    cells += [cell(run.held_out.get(name)) for name in figures]
    cells.append(cell(None if run.seconds is None else run.seconds / 60, "{:.1f}"))
    cells.append(f'<td class="words">{escape(run.device)}</td>')
    cells.append(f'<td class="words">{link(run.style_file, place)}</td>')
    cells.append(f'<td class="words status{" bad" if run.problem else ""}">{escape(run.status)}</td>')
    return f'<tr data-run="{number}">{"".join(cells)}</tr>'


def cell(value: Any, form: str = "{:.4g}") -> str:
    if value is None:
        return f'<td data-value="">{NOTHING}</td>'
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        text = f"{value:,}" if isinstance(value, int) else form.format(value)
        return f'<td data-value="{value!r}">{text}</td>'
    text = setting_text(value)
    return f"<td>{escape(text if len(text) <= MAXIMUM_VALUE else text[: MAXIMUM_VALUE - 1] + '…')}</td>"


def setting_text(value: Any) -> str:
    """A setting as it is typed."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"[{','.join(map(setting_text, value))}]" if isinstance(value, list) else str(value)


def settings_that_differ(runs: Sequence[Run]) -> list[str]:
    """Names of the settings that are not the same in all runs that could be read.

    One that failed before it had a folder has the settings that were typed, and not the others: it counts for nothing.
    """
    read = [run.settings for run in runs if run.settings and run.folder != Path()]
    names = dict.fromkeys(name for settings in read for name in settings if not name.startswith(DESCRIPTIVE))
    differing = [name for name in names if len({setting_text(settings.get(name)) for settings in read}) > 1]
    return differing[:MAXIMUM_COLUMNS]


def link(path: Path | None, place: Path) -> str:
    """A link to a file beside the report or in a folder near it."""
    if path is None:
        return NOTHING
    try:
        address = quote(os.fsencode(os.path.relpath(path.resolve(), place.resolve()).replace(os.sep, "/")))
    except ValueError:  # on another drive
        return escape(path.name)
    # ./ before it: a name with a colon would read as another kind of address.
    return f'<a href="./{address}">{escape(path.name)}</a>'


def section(number: int, run: Run, place: Path, shown: Shown, with_settings: bool) -> str:
    """One run in full: sheets by step, each photo before and after, settings."""
    facts = [f"{name} {value:.4g}" for name, value in run.held_out.items()]
    head = f'<span class="swatch" style="--hue:{hue(number)}"></span>{escape(run.name)}'
    head += f'<span class="faint">{escape(", ".join([run.started, *facts]).strip(", "))}</span>'
    settings = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(setting_text(value))}</dd>" for name, value in run.settings.items()
    )
    parts = [
        f'<p class="bad">{escape(run.problem)}</p>' if run.problem else "",
        pictures(shown),
        f'<p class="faint">{link(run.style_file, place)} · {link(run.folder, place)}</p>',
        f'<details class="more"><summary>All settings</summary><dl>{settings}</dl></details>'
        if settings and with_settings
        else "",
    ]
    opened = " open" if number == 0 else ""
    return f'<details class="run" id="run-{number}"{opened}><summary>{head}</summary>{"".join(parts)}</details>'


def pictures(shown: Shown) -> str:
    if not shown.sheets:
        reason = "they cannot be read" if shown.damaged else "this file would grow too large"
        return f'<p class="faint">No contact sheet is shown: {reason}.</p>' if shown.left_out else ""
    count, (step, last) = len(shown.sheets), shown.sheets[-1]
    width, height = shown.size
    words = "Photos, results below, the painting beside"
    sheet = f'<img class="sheet" alt="{words}" width="{width}" height="{height}" src="{last}">'
    place = f'min="0" max="{count - 1}" value="{count - 1}" aria-label="Step of the contact sheet"'
    slider = f'<label class="step"><output>step {step:,}</output><input type="range" {place}></label>'
    slider = slider if count > 1 else ""
    pairs = "".join(pair(number, cell) for number, cell in enumerate(shown.cells, start=1))
    note = f"{shown.left_out} of {shown.left_out + count} contact sheets are left out here" if shown.left_out else ""
    note += (
        "; those shown are reduced" if note and shown.reduced else "Contact sheets are reduced" if shown.reduced else ""
    )
    return f'{sheet}{slider}<div class="pairs">{pairs}</div>' + (f'<p class="faint">{note}.</p>' if note else "")


def pair(number: int, cell: Cell) -> str:
    """A photo and its result with a divider to drag."""
    size = f'data-x="{cell.left:.5f}" data-w="{cell.width:.5f}" data-h="{cell.height:.5f}"'
    return (
        f'<div class="pair"><div {size} data-y="{cell.photo_top:.5f}"></div>'
        f'<div class="after" {size} data-y="{cell.result_top:.5f}"></div>'
        f'<input type="range" min="0" max="100" value="50" aria-label="Photo {number}, before and after"></div>'
    )
