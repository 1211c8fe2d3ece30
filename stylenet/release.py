"""The set of trained networks, made anew: `python -m stylenet.release [STYLE...] [SETTING=VALUE...]`

Trains each style of configs/style/ as `train.py` does, and a small and a tiny network for one of them; then evaluates
it and writes `checkpoints/<style>.safetensors`, its page `.md` and its sheet `.jpg`. One style after the other, on the
device there is. What is there already, from the same painting and settings, is not trained again; a run that was
stopped goes on. STYLE is a name such as `wave` or `starry-small`; settings are those of `train.py`.
"""

import argparse
import logging
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch
import yaml
from jaxtyping import Float
from torch import Tensor

from stylenet.device import bf16_pays, pick_device
from stylenet.disk import SOURCE_TREE, file_sha256, written_aside
from stylenet.errors import UserError
from stylenet.evaluate import arguments as evaluation
from stylenet.evaluate import evaluate
from stylenet.learning.card_page import page
from stylenet.learning.experiment import versions
from stylenet.learning.painting import STYLES, find_painting, read_painting
from stylenet.learning.photos import held_out_photos
from stylenet.learning.quality.held_out import stylised_by
from stylenet.learning.run_folder import OUTPUTS, SHELF, settings_digest
from stylenet.learning.sheet import contact_sheet, save_sheet
from stylenet.network import TransformerNet
from stylenet.style_file import SUFFIX, StyleFileError, load_style, read_card, save_style

log = logging.getLogger(__name__)

SMALLER = ("starry-small", "starry-tiny")
SIZES = (256, 512)  # pixels
SHEET_PHOTOS = 4
ROUNDS = 3


def train_command(style: str, settings: list[str]) -> list[str]:
    painting, _, network = style.partition("-")
    chosen = [f"style={painting}", *([f"network={network}"] if network else []), *settings]
    return [sys.executable, str(SOURCE_TREE / "train.py"), *chosen]


def digest_of(style: str, settings: list[str]) -> str:
    """Of the settings that `train.py` would train with. Raises `UserError`."""
    result = subprocess.run([*train_command(style, settings), "--cfg", "job"], capture_output=True, text=True)
    if result.returncode:
        raise UserError(result.stderr.strip())
    return settings_digest(yaml.safe_load(result.stdout))


def is_made(style: str, settings: list[str]) -> bool:
    """Whether `checkpoints/` holds this style, trained to its end from this painting and these settings."""
    try:
        facts = read_card(SHELF / f"{style}{SUFFIX}").facts
    except StyleFileError:
        return False
    painting = find_painting(f"configs/style/{style.partition('-')[0]}.jpg")
    if facts["painting"]["sha256"] != file_sha256(painting):
        return False
    return bool(facts.get("settings") == digest_of(style, settings))


def is_stopped(style: str) -> bool:
    """Whether the newest run of this style ended before its last step."""
    folders = sorted((path.parent for path in (OUTPUTS / style).glob("*/last.ckpt")), key=lambda path: path.name)
    if not folders:
        return False
    try:
        return not read_card(folders[-1] / f"{style}{SUFFIX}").facts["held_out"]
    except (StyleFileError, KeyError):
        return True


def train(style: str, settings: list[str]) -> None:
    """Raises `UserError` when `train.py` does not end well; what it says goes to the screen."""
    command = train_command(style, ["resume=auto"] if is_stopped(style) else settings)
    if subprocess.run([*command, "replace=true"]).returncode:
        raise UserError(f"{style} was not trained to its end; the same command goes on with it")


def halve(file: Path) -> None:
    """16-bit weights, where they change no pixel that is made of the held-out photos by more than 1/255."""
    network, card = load_style(file, pick_device())
    halved = load_style(file, pick_device())[0].half().float()
    photos = (held_out_photos(SIZES[0])[0].float() / 255).to(next(network.parameters()).device)
    if float((stylised_by(halved, photos) - stylised_by(network, photos)).abs().max()) <= 1 / 255:
        save_style(file, halved.half(), card)
    else:
        log.info("%s keeps 32-bit weights: pictures change with 16", card.name)


def write_page(style: str, options: argparse.Namespace) -> None:
    """The page and the sheet of a style in `checkpoints/`."""
    file = SHELF / f"{style}{SUFFIX}"
    network, card = load_style(file, pick_device())
    figures = []
    for size in SIZES:
        photos = held_out_photos(size)[0].float() / 255
        found = evaluate(options, str(file), photos)
        figures.append(found | {"milliseconds": milliseconds(network, photos[:1])})
    text = page(card.facts, card.name, figures, versions()["device"], file.stat().st_size / 1e6)
    with written_aside(file.with_suffix(".md")) as aside:
        aside.write_text(text, encoding="utf-8")
    save_sheet(sheet(network, style), file.with_suffix(".jpg"))


@torch.inference_mode()
def sheet(network: TransformerNet, style: str) -> Tensor:
    photos = held_out_photos(SIZES[0])[0][:SHEET_PHOTOS].float() / 255
    device = next(network.parameters()).device
    stylised = stylised_by(network, photos.to(device)).cpu()
    painting = read_painting(find_painting(f"configs/style/{style.partition('-')[0]}.jpg"), SIZES[0])
    return contact_sheet(painting, photos, stylised)


@torch.inference_mode()
def milliseconds(network: TransformerNet, photo: Float[Tensor, "1 3 s s"]) -> float:
    """Of one pass in the faster precision, the median of a few."""
    device = next(network.parameters()).device
    times = []
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16_pays(device.type)):
        for _ in range(1 + ROUNDS):
            start = time.perf_counter()
            network(photo.to(device)).cpu()
            times.append(1000 * (time.perf_counter() - start))
    return median(times[1:])


def arguments(typed: list[str] | None = None) -> tuple[list[str], list[str], argparse.Namespace]:
    """Styles, settings for `train.py`, and options for the evaluation."""
    parser = argparse.ArgumentParser(
        prog="python -m stylenet.release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="STYLE or SETTING=VALUE")
    parser.add_argument("--judge", metavar="WEIGHTS", help="as in stylenet.evaluate")
    parser.add_argument("--gatys", default="0", metavar="N", help="as in stylenet.evaluate; hours on a CPU")
    parser.add_argument("--gatys-photos", default="4", metavar="M", help="as in stylenet.evaluate")
    chosen = parser.parse_args(typed)
    styles = [word for word in chosen.words if "=" not in word]
    known = [*sorted(path.stem for path in STYLES.glob("*.jpg")), *SMALLER]
    options = ["--gatys", chosen.gatys, "--gatys-photos", chosen.gatys_photos]
    options += ["--judge", chosen.judge] if chosen.judge else []
    settings = [word for word in chosen.words if "=" in word]
    return styles or known, settings, evaluation([*known[:1], *options])


def make(style: str, settings: list[str], options: argparse.Namespace) -> None:
    if is_made(style, settings):
        log.info("%s: is there already", style)
    else:
        train(style, settings)
        halve(SHELF / f"{style}{SUFFIX}")
    if not (SHELF / f"{style}.md").exists() or newer(SHELF / f"{style}{SUFFIX}", SHELF / f"{style}.md"):
        write_page(style, options)


def newer(path: Path, than: Path) -> bool:
    return path.stat().st_mtime > than.stat().st_mtime


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    styles, settings, options = arguments()
    try:
        for style in styles:
            make(style, settings, options)
    except UserError as error:
        print(f"stylenet.release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
