"""Trains the networks of `checkpoints/`, evaluates them, and writes their model cards.

  stylenet release                     every painting of configs/style/, and smaller networks for some of them
  stylenet release wave starry-small   these networks
  stylenet release minutes=30          with settings of `stylenet train`

Writes checkpoints/NAME.safetensors, its model card NAME.md, its contact sheet NAME.jpg, and checkpoints/README.md, a
table of all. Networks that exist, with the same painting and settings, are not trained again; stopped runs are resumed.
A network that fails does not end the others.
"""

import argparse
import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import Parser, complain
from stylenet.cli.evaluate import add_gatys_options, check_gatys
from stylenet.cli.train_compose import composed_settings
from stylenet.disk import file_sha256, printable, shipped_files, shipped_paintings
from stylenet.errors import UserError
from stylenet.evaluation.settings import EvaluationSettings

log = logging.getLogger(__name__)

SMALLER = ("starry-small", "starry-tiny", "scream-tiny", "wave-tiny")
TRAIN = (sys.executable, "-m", "stylenet", "train")
# By a network's name, or by this command.
FIXED = re.compile(r"style(\.(image|name|suffix))?|network|styles|add_to|resume|replace")
WEIGHTS = "loss_network.weights"


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes each network that was asked for; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = parse_arguments(arguments)
    evaluation = EvaluationSettings(
        weights=next((word.partition("=")[2] for word in chosen.settings if word.startswith(f"{WEIGHTS}=")), "auto"),
        judge=chosen.judge or None,
        lpips=True,
        gatys_steps=chosen.gatys,
        gatys_photos=chosen.gatys_photos,
        gatys_optimizers=chosen.gatys_optimizers,
    )
    failed = [style for style in chosen.styles if not release_network(style, chosen, evaluation)]
    if failed and len(chosen.styles) > 1:
        done = len(chosen.styles) - len(failed)
        complain(f"{done} of {len(chosen.styles)} networks done, failed: {', '.join(failed)}")
    return int(bool(failed))


def release_network(style: str, chosen: argparse.Namespace, evaluation: EvaluationSettings) -> bool:
    """Trains and describes one network; returns whether it could. Ends the command where a run was stopped."""
    from stylenet.release.pages import write_index, write_page
    from stylenet.training.run_folder import disk_errors

    try:
        with disk_errors():
            if not chosen.pages:
                make(style, chosen.settings)
            write_page(style_file(style), evaluation)
            write_index()
    except UserError as error:
        complain(f"error: {style}: {error}")
        return False
    return True


def train_arguments(style: str, settings: Sequence[str]) -> list[str]:
    """The arguments of `stylenet train` for a network such as `starry-small`."""
    painting, _, network = style.partition("-")
    check_name(style, painting, network)
    return [f"style={painting}", *([f"network={network}"] if network else []), *settings]


def check_name(style: str, painting: str, network: str) -> None:
    """Raises `UserError` for a name that is no shipped painting's, alone or with the name of a smaller network."""
    if painting not in shipped_paintings():
        known = ", ".join(shipped_paintings())
        own = "a painting of your own is trained by: stylenet train style.image=FILE"
        raise UserError(f"there is no painting {printable(painting)} in configs/style/; available: {known}; {own}")
    if network and not (shipped_files() / "configs" / "network" / f"{network}.yaml").is_file():
        raise UserError(f"there is no network {printable(network)} in configs/network/ for {printable(style)}")


def style_file(style: str) -> Path:
    from stylenet.models.catalog import CHECKPOINTS
    from stylenet.models.limits import SUFFIX

    return CHECKPOINTS / f"{style}{SUFFIX}"


def digest_of(style: str, settings: Sequence[str]) -> str:
    """The hash of the settings that `stylenet train` would use. Raises `UserError`."""
    from stylenet.training.run_folder import settings_digest

    return settings_digest(composed_settings(train_arguments(style, settings)))


def is_made(style: str, digest: str) -> bool:
    """Whether `checkpoints/` has this network, fully trained on this painting with settings of this hash."""
    from stylenet.models.style_file import StyleFileError, read_card

    try:
        facts = read_card(style_file(style)).facts
    except StyleFileError:
        return False
    painting = shipped_paintings().get(style.partition("-")[0])
    known = facts.get("painting")  # not of a converted network
    same_painting = painting is not None and known is not None and known["sha256"] == file_sha256(painting)
    return same_painting and facts.get("settings") == digest


def stopped_run(style: str, digest: str) -> Path | None:
    """The folder of the newest run of this network, if it had these settings and ended before its last step."""
    from stylenet.models.style_file import StyleFileError, read_card
    from stylenet.training.run_folder import OUTPUTS, read_settings, settings_digest

    folders = sorted(path.parent for path in (OUTPUTS / style).glob("*/last.ckpt"))
    if not folders or settings_digest(read_settings(folders[-1])) != digest:
        return None
    try:
        ended = read_card(folders[-1] / style_file(style).name).facts["held_out"]
    except (StyleFileError, KeyError):
        ended = None
    return None if ended else folders[-1]


def train(style: str, settings: Sequence[str], digest: str) -> None:
    """Trains in a process of its own. Raises `UserError` where it fails, `SystemExit` where it was stopped."""
    stopped = stopped_run(style, digest)  # named, since resume=auto could mean another
    arguments = [f"resume={stopped}"] if stopped else train_arguments(style, settings)
    code = subprocess.run([*TRAIN, *arguments, "replace=true"]).returncode
    if code > 128 or code < 0:
        raise SystemExit(code if code > 0 else 128 - code)
    if code:
        raise UserError("the training failed; the same command resumes it")


def halve(file: Path) -> None:
    """Stores 16-bit weights, unless they change a result on the held-out photos by more than 1/255."""
    from stylenet.data import held_out_photos
    from stylenet.device import pick_device
    from stylenet.evaluation.held_out import stylized_by
    from stylenet.models.style_file import read_style, save_style
    from stylenet.release.pages import SIZES

    network, card = read_style(file, pick_device())
    halved = read_style(file, pick_device())[0].half().float()
    photos = (held_out_photos(SIZES[0])[0].float() / 255).to(next(network.parameters()).device)
    if float((stylized_by(halved, photos) - stylized_by(network, photos)).abs().max()) <= 1 / 255:
        save_style(file, halved.half(), card)
    else:
        log.info("%s keeps 32-bit weights: results differ with 16", card.name)


def make(style: str, settings: Sequence[str]) -> None:
    """Trains a network unless it is there. Raises `UserError`."""
    digest = digest_of(style, settings)
    if is_made(style, digest):
        log.info("%s: up to date", style)
    else:
        train(style, settings, digest)
    halve(style_file(style))  # also after a stop between training and this


def parse_arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument(
        "words", nargs="*", metavar="NAME or SETTING=VALUE", help="networks to train (default: all), and their settings"
    )
    parser.add_argument("--pages", action="store_true", help="train nothing; only write missing model cards")
    parser.add_argument(
        "--judge",
        default="torchvision",
        metavar="WEIGHTS",
        help="weights of the judge's VGG16, as in stylenet evaluate; default: torchvision (528 MB); '' for none",
    )
    add_gatys_options(parser, steps=60, photos=4, defaults=("lbfgs",))
    chosen = parser.parse_args(list(sys.argv[1:] if typed is None else typed))
    check_gatys(parser, chosen)
    if chosen.judge not in ("", "auto", "torchvision") and not Path(chosen.judge).is_file():
        parser.error(f"--judge: there is no file {printable(chosen.judge)}")
    known = [*shipped_paintings(), *SMALLER]
    chosen.styles = [word for word in chosen.words if "=" not in word] or known
    chosen.settings = [word for word in chosen.words if "=" in word]
    for setting in chosen.settings:
        if FIXED.fullmatch(setting.partition("=")[0]):
            parser.error(f"{printable(setting)} cannot be set here: a network's name says it, as in wave-small")
    return chosen
