"""The set of trained networks, made anew: `python -m stylenet.release [STYLE...] [SETTING=VALUE...]`

Trains each style of configs/style/ as `train.py` does, and a small and a tiny network for one of them; then evaluates
it and writes `checkpoints/<style>.safetensors`, its page `.md` and its sheet `.jpg`; at last `checkpoints/README.md`, a
table of all. One style after the other, on the device there is. What is there already, from the same painting and
settings, is not trained again; a run that was stopped goes on. STYLE is a name such as `wave` or `starry-small`;
settings are those of `train.py`. --pages trains nothing and makes only the pages that are missing.
"""

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from stylenet.cli.command import Parser
from stylenet.cli.evaluate import parsed as evaluation
from stylenet.data import held_out_photos
from stylenet.data.painting import STYLES, find_painting
from stylenet.device import pick_device
from stylenet.disk import SOURCE_TREE, file_sha256
from stylenet.errors import UserError
from stylenet.evaluation.held_out import stylized_by
from stylenet.models.style_file import SUFFIX, StyleFileError, load_style, read_card, save_style
from stylenet.release.pages import SIZES, write_index, write_page
from stylenet.training.run_folder import OUTPUTS, SHELF, read_settings, settings_digest

log = logging.getLogger(__name__)

SMALLER = ("starry-small", "starry-tiny")
TRAIN = (sys.executable, str(SOURCE_TREE / "train.py"))


def train_command(style: str, settings: list[str]) -> list[str]:
    painting, _, network = style.partition("-")
    chosen = [f"style={painting}", *([f"network={network}"] if network else []), *settings]
    return [*TRAIN, *chosen]


def digest_of(style: str, settings: list[str]) -> str:
    """Of the settings that `train.py` would train with. Raises `UserError`."""
    result = subprocess.run([*train_command(style, settings), "--cfg", "job"], capture_output=True, text=True)
    if result.returncode:
        raise UserError(result.stderr.strip())
    return settings_digest(yaml.safe_load(result.stdout))


def is_made(style: str, digest: str) -> bool:
    """Whether `checkpoints/` holds this style, trained to its end from this painting and settings of this digest."""
    try:
        facts = read_card(SHELF / f"{style}{SUFFIX}").facts
    except StyleFileError:
        return False
    painting = find_painting(f"configs/style/{style.partition('-')[0]}.jpg")
    return bool(facts["painting"]["sha256"] == file_sha256(painting) and facts.get("settings") == digest)


def stopped_run(style: str, digest: str) -> Path | None:
    """The folder of the newest run of this style, if it had these settings and ended before its last step."""
    folders = sorted(path.parent for path in (OUTPUTS / style).glob("*/last.ckpt"))
    if not folders or settings_digest(read_settings(folders[-1])) != digest:
        return None
    try:
        ended = read_card(folders[-1] / f"{style}{SUFFIX}").facts["held_out"]
    except (StyleFileError, KeyError):
        ended = None
    return None if ended else folders[-1]


def train(style: str, settings: list[str], digest: str) -> None:
    """Raises `UserError` when `train.py` does not end well; what it says goes to the screen."""
    stopped = stopped_run(style, digest)  # named, since resume=auto could mean another
    command = [*TRAIN, f"resume={stopped}"] if stopped else train_command(style, settings)
    if subprocess.run([*command, "replace=true"]).returncode:
        raise UserError(f"{style} was not trained to its end; the same command goes on with it")


def halve(file: Path) -> None:
    """16-bit weights, where they change no pixel that is made of the held-out photos by more than 1/255."""
    network, card = load_style(file, pick_device())
    halved = load_style(file, pick_device())[0].half().float()
    photos = (held_out_photos(SIZES[0])[0].float() / 255).to(next(network.parameters()).device)
    if float((stylized_by(halved, photos) - stylized_by(network, photos)).abs().max()) <= 1 / 255:
        save_style(file, halved.half(), card)
    else:
        log.info("%s keeps 32-bit weights: pictures change with 16", card.name)


def make(style: str, settings: list[str]) -> None:
    digest = digest_of(style, settings)
    if is_made(style, digest):
        log.info("%s: is there already", style)
    else:
        train(style, settings, digest)
    halve(SHELF / f"{style}{SUFFIX}")  # also what was trained, and then stopped before this


def parsed(typed: Sequence[str] | None) -> tuple[argparse.Namespace, argparse.Namespace]:
    """What is asked of this command, and the options of the evaluation."""
    parser = Parser(__doc__)
    parser.add_argument("words", nargs="*", metavar="STYLE or SETTING=VALUE")
    parser.add_argument("--pages", action="store_true", help="pages alone, of the networks that are there")
    parser.add_argument(
        "--judge",
        default="torchvision",
        metavar="WEIGHTS",
        help="as in stylenet.cli.evaluate; torchvision (528 MB)",
    )
    parser.add_argument("--gatys", default="60", metavar="N", help="as in stylenet.cli.evaluate; 0 for none")
    parser.add_argument("--gatys-photos", default="4", metavar="M", help="as in stylenet.cli.evaluate")
    chosen = parser.parse_args(typed)
    known = [*sorted(path.stem for path in STYLES.glob("*.jpg")), *SMALLER]
    chosen.styles = [word for word in chosen.words if "=" not in word] or known
    chosen.settings = [word for word in chosen.words if "=" in word]
    options = ["--lpips", "--judge", chosen.judge, "--gatys", chosen.gatys, "--gatys-photos", chosen.gatys_photos]
    return chosen, evaluation([*chosen.styles, *options, "--gatys-optimizers", "lbfgs"])


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen, options = parsed(arguments)
    for style in chosen.styles:
        if not chosen.pages:
            make(style, chosen.settings)
        write_page(SHELF / f"{style}{SUFFIX}", options)
        write_index()
    return 0
