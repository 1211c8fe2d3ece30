"""What stands beside a network in `checkpoints/`: its page `.md`, its sheet `.jpg`, and `README.md` with all of them.

The figures on a page are measured once and kept in the style file, since equal runs have equal ones. What depends on
the machine, its name and its times, stands on the page alone.
"""

import argparse
import csv
import logging
import time
from collections.abc import Mapping
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

from stylenet.cli.evaluate import evaluate, loss_network, shipped_painting
from stylenet.data import held_out_photos
from stylenet.data.painting import read_painting
from stylenet.device import device_name
from stylenet.errors import UserError
from stylenet.evaluation.contact_sheet import contact_sheet, save_sheet
from stylenet.evaluation.judge import ARCHITECTURE
from stylenet.evaluation.similarity import fetch_alexnet
from stylenet.inference.stylizer import Stylizer
from stylenet.models.style_file import SUFFIX, Card, StyleFileError, change_card, read_card
from stylenet.release.model_card import index, page
from stylenet.training.run_folder import OUTPUTS, SHELF, write_whole

log = logging.getLogger(__name__)

SIZES = (256, 512)  # pixels
SHEET_SIZE = 384
SHOWN = ("astronaut", "neuschwanstein", "red-panda", "mountain-lake")  # a face, a building, an animal, a landscape
ROUNDS = 5


def write_page(file: Path, options: argparse.Namespace) -> None:
    """Measures what the style file does not hold yet, then writes page and sheet where there is no page."""
    card = read_card(file)
    if "figures" not in card.facts:
        file.with_suffix(".md").unlink(missing_ok=True)
        card = with_figures(file, options)
    if file.with_suffix(".md").exists():
        return
    log.info("%s: page and sheet", card.name)
    save_sheet(sheet(file), file.with_suffix(".jpg"))
    machine = {"device": device_name(), "milliseconds": {size: milliseconds(file, size) for size in SIZES}}
    text = page(card.facts, card.name, training_of(card), machine, file.stat().st_size / 1e6)
    write_whole(file.with_suffix(".md"), text)


def with_figures(file: Path, options: argparse.Namespace) -> Card:
    """Evaluates the network at every size and keeps the figures in its file. Gatys et al. at the first size only."""
    log.info("%s: evaluated at %s px", file.stem, " and ".join(map(str, SIZES)))
    asked = argparse.Namespace(**vars(options) | dict.fromkeys(missing(options.judge, options.lpips)))
    figures = []
    for size in SIZES:
        asked.gatys = options.gatys if size == SIZES[0] else 0
        found = evaluate(asked, str(file), held_out_photos(size)[0].float() / 255)
        for equivalent in found.get("gatys", {}).values():
            del equivalent["curve"]
        figures.append(found)
    card = read_card(file)
    card = replace(card, facts={**card.facts, "figures": figures})
    change_card(file, card)
    return card


@cache  # fetched and said once, and only where there is something to measure
def missing(judge: str | None, with_lpips: bool) -> tuple[str, ...]:
    """The options of the evaluation that need weights which cannot be had here."""
    fetches = {"judge": judge and (lambda: loss_network(judge, ARCHITECTURE)), "lpips": with_lpips and fetch_alexnet}
    found = []
    for name, fetch in fetches.items():
        try:
            if fetch:
                fetch()
        except UserError as error:
            log.info("not measured: %s", error)
            found.append(name)
    return tuple(found)


def shown_photos(size: int) -> Float[Tensor, "n 3 size size"]:
    """The held-out photos that pictures of the networks show."""
    squares, titles = held_out_photos(size)
    return squares[[titles.index(title) for title in SHOWN]].float() / 255


def sheet(file: Path) -> UInt8[Tensor, "height width 3"]:
    """At half the size in which the pictures are made, to weigh little."""
    stylizer = Stylizer.load(file)
    photos = shown_photos(SHEET_SIZE)
    painting = read_painting(shipped_painting(stylizer.card), SHEET_SIZE)
    stylized = torch.cat([stylizer.stylize(photo).cpu()[None] for photo in photos])
    whole = Image.fromarray(contact_sheet(painting, photos, stylized).numpy())
    return torch.from_numpy(np.array(whole.reduce(2)))


def milliseconds(file: Path, size: int) -> float:
    """Of one square picture through the network as `infer.py` runs it, without files: the median of a few."""
    stylizer = Stylizer.load(file)
    photo = held_out_photos(size)[0][0].float() / 255
    times = []
    for _ in range(1 + ROUNDS):
        start = time.perf_counter()
        stylizer.stylize(photo).cpu()
        times.append(1000 * (time.perf_counter() - start))
    return median(times[1:])


def training_of(card: Card) -> Mapping[str, Any]:
    """Minutes and device of the run that made this network, where its folder is still here."""
    for folder in sorted((OUTPUTS / card.name).glob("*"), reverse=True):
        try:
            made = read_card(folder / f"{card.name}{SUFFIX}").facts
        except StyleFileError:
            continue
        if all(made.get(key) == card.facts.get(key) for key in ("settings", "training", "held_out")):
            return {"minutes": seconds_in(folder) / 60, "device": device_of(folder)}
    return {}


def seconds_in(folder: Path) -> float:
    """Over all parts of a run that was stopped and went on."""
    found = 0.0
    for metrics in folder.glob("metrics*.csv"):
        with metrics.open() as file:
            found += sum(float(row.get("speed/seconds") or 0) for row in csv.DictReader(file))
    return found


def device_of(folder: Path) -> str:
    return str(yaml.safe_load((folder / "hparams.yaml").read_text(encoding="utf-8"))["versions"]["device"])


def write_index() -> None:
    """`checkpoints/README.md`: every network that has a page, in one table."""
    files = [path for path in SHELF.glob(f"*{SUFFIX}") if path.with_suffix(".md").exists()]
    write_whole(SHELF / "README.md", index({path.stem: read_card(path).facts for path in files}))
