"""The files beside a network in `checkpoints/`: its model card `.md`, its contact sheet `.jpg`, and the `README.md`.

The figures on a card are measured once and kept in the style file, since equal runs have equal ones. What depends on
the machine, its name and its times, is on the card alone.
"""

import csv
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from stylenet.data import held_out_photos
from stylenet.data.painting import read_painting
from stylenet.device import device_name
from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.evaluation.contact_sheet import contact_sheet, save_sheet
from stylenet.evaluation.judge import ARCHITECTURE
from stylenet.evaluation.report import evaluate, load_once, shipped_painting
from stylenet.evaluation.settings import EvaluationSettings
from stylenet.evaluation.similarity import fetch_alexnet
from stylenet.inference.stylizer import Stylizer
from stylenet.models.catalog import CHECKPOINTS
from stylenet.models.limits import SUFFIX
from stylenet.models.style_file import Card, StyleFileError, change_card, read_card
from stylenet.release.model_card import index, page
from stylenet.training.run_folder import OUTPUTS, write_whole

log = logging.getLogger(__name__)

SIZES = (256, 512)  # pixels
SHEET_SIZE = 384
SHOWN = ("astronaut", "neuschwanstein", "red-panda", "mountain-lake")  # a face, a building, an animal, a landscape
ROUNDS = 5


def write_page(file: Path, settings: EvaluationSettings) -> None:
    """Measures what the style file does not hold yet, then writes card and sheet unless there is a card.

    Raises `UserError` for a file of many styles, which has another kind of page.
    """
    card = read_card(file)
    if card.style_names:
        raise UserError(f"{printable(file)} holds many styles: tools/gallery_page.py writes its page")
    if "figures" not in card.facts:
        card = with_figures(file, settings)
    if file.with_suffix(".md").exists():
        return
    log.info("%s: page and sheet", card.name)
    save_sheet(sheet(file), file.with_suffix(".jpg"))
    machine = {"device": device_name(), "milliseconds": {size: milliseconds(file, size) for size in SIZES}}
    facts = {**card.facts, "black": card.network.black}
    text = page(facts, card.name, training_of(card), machine, file.stat().st_size / 1e6)
    write_whole(file.with_suffix(".md"), text)


def with_figures(file: Path, settings: EvaluationSettings) -> Card:
    """Evaluates the network at every size and stores the figures in its file; Gatys equivalent at the first."""
    log.info("%s: evaluated at %s px", file.stem, " and ".join(map(str, SIZES)))
    left_out = missing_weights(settings.judge, settings.lpips)
    asked = replace(
        settings,
        judge=None if "judge" in left_out else settings.judge,
        lpips="lpips" not in left_out and settings.lpips,
    )
    figures = []
    for size in SIZES:
        steps = settings.gatys_steps if size == SIZES[0] else 0
        found = evaluate(file, held_out_photos(size)[0].float() / 255, replace(asked, gatys_steps=steps))
        for equivalent in found.get("gatys", {}).values():
            del equivalent["curve"]
        figures.append(found)
    card = read_card(file)
    card = replace(card, facts={**card.facts, "figures": figures})
    file.with_suffix(".md").unlink(missing_ok=True)  # the page of other weights; kept until there is something new
    change_card(file, card)
    return card


@cache  # fetched and reported once, and only where there is something to measure
def missing_weights(judge: str | None, with_lpips: bool) -> tuple[str, ...]:
    """The parts of the evaluation whose weights are not available here."""
    fetches = {"judge": judge and (lambda: load_once(judge, ARCHITECTURE)), "lpips": with_lpips and fetch_alexnet}
    found = []
    for name, fetch in fetches.items():
        try:
            if fetch:
                fetch()
        except UserError as error:
            log.info("not measured: %s", error)
            found.append(name)
    return tuple(found)


def shown_photos(size: int, names: Sequence[str] = SHOWN) -> Float[Tensor, "n 3 size size"]:
    """Held-out photos by name, in [0, 1]; those on the contact sheets if none are named."""
    squares, titles = held_out_photos(size)
    return squares[[titles.index(title) for title in names]].float() / 255


def sheet(file: Path) -> UInt8[Tensor, "height width 3"]:
    """The contact sheet, at half the size of its images to keep the file small."""
    stylizer = Stylizer.load(file)
    photos = shown_photos(SHEET_SIZE)
    painting = read_painting(shipped_painting(stylizer.card), SHEET_SIZE)
    stylized = torch.cat([stylizer.stylize(photo).cpu()[None] for photo in photos])
    whole = Image.fromarray(contact_sheet(painting, photos, stylized).numpy())
    return torch.from_numpy(np.array(whole.reduce(2)))


def milliseconds(file: Path, size: int) -> float:
    """The median time of one square image through the network, without files."""
    stylizer = Stylizer.load(file)
    photo = held_out_photos(size)[0][0].float() / 255
    times = []
    for _ in range(1 + ROUNDS):
        start = time.perf_counter()
        stylizer.stylize(photo).cpu()
        times.append(1000 * (time.perf_counter() - start))
    return median(times[1:])


def training_of(card: Card) -> Mapping[str, Any]:
    """Minutes and device of the run that trained this network, where its folder still exists."""
    for folder in sorted((OUTPUTS / card.name).glob("*"), reverse=True):
        try:
            made = read_card(folder / f"{card.name}{SUFFIX}").facts
        except StyleFileError:
            continue
        if all(made.get(key) == card.facts.get(key) for key in ("settings", "training", "held_out")):
            return {"minutes": seconds_in(folder) / 60, "device": device_of(folder)}
    return {}


def seconds_in(folder: Path) -> float:
    """The training time over all parts of a run that was stopped and resumed."""
    found = 0.0
    for metrics in folder.glob("metrics*.csv"):
        with metrics.open() as file:
            found += sum(float(row.get("speed/seconds") or 0) for row in csv.DictReader(file))
    return found


def device_of(folder: Path) -> str:
    return str(yaml.safe_load((folder / "hparams.yaml").read_text(encoding="utf-8"))["versions"]["device"])


def write_index() -> None:
    """Writes `checkpoints/README.md`: every network that has a page."""
    write_whole(CHECKPOINTS / "README.md", index_of(CHECKPOINTS))


def index_of(folder: Path) -> str:
    """The networks of a folder in one table, those of many styles below it. A page that came otherwise has no row."""
    cards = {}
    for path in folder.glob(f"*{SUFFIX}"):
        if path.with_suffix(".md").exists():
            with suppress(StyleFileError):
                cards[path.stem] = read_card(path)
    single = {name: card.facts for name, card in cards.items() if "figures" in card.facts}
    return index(single, {name: len(card.style_names) for name, card in cards.items() if card.style_names})
