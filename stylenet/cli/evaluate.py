"""How good a network is: `python -m stylenet.evaluate STYLE...` prints one JSON line for each style and size.

Losses are those that the network was trained with, unweighted, on photos it has not seen: the built-in held-out ones,
or a folder's. `untouched` is the style loss of the photos themselves; `share` is style over untouched style. `ssim`
tells how much of the photo stands; `shift` and `noise` how calm the network is; the rest are artifacts (0 is none, but
for `contrast`). --judge adds `judged`: a share as well, but for a network that no training optimized. --gatys N adds
the Gatys-equivalent, from N steps of optimization of each photo: hours on a CPU.
"""

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from stylenet.cli.command import Parser
from stylenet.data import folder_squares, held_out_photos, unit_photos
from stylenet.data.painting import STYLES, find_painting, read_painting
from stylenet.device import pick_device
from stylenet.disk import file_sha256
from stylenet.errors import UserError
from stylenet.evaluation.artifacts import artifacts, complaints
from stylenet.evaluation.gatys import equivalents
from stylenet.evaluation.held_out import held_out_losses, stylized_by
from stylenet.evaluation.judge import ARCHITECTURE, judged_share
from stylenet.evaluation.optimization import OPTIMIZERS
from stylenet.evaluation.similarity import lpips, ssim
from stylenet.evaluation.stability import calmness
from stylenet.losses.criterion import criterion_for
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.vgg import VGGFeatures, load_vgg_weights
from stylenet.models.catalog import load_single_style
from stylenet.models.style_file import Card

log = logging.getLogger(__name__)

JUDGED_SIZE = 512  # pixels, the painting's short side
loss_network = cache(load_vgg_weights)  # once for all styles and sizes

SMALLEST = 64  # pixels: the artifacts need a tile, the loss network a few pixels at its deepest layer
LARGEST = 4096  # pixels, short side of a painting


def evaluate(chosen: argparse.Namespace, style: str, photos: Float[Tensor, "n 3 s s"]) -> dict[str, Any]:
    """The figures of one style file. Raises `UserError`."""
    device = pick_device()
    network, card = load_single_style(style, device)
    file = find_painting(chosen.painting) if chosen.painting else shipped_painting(card)
    criterion = rebuilt_criterion(card, file, chosen.weights).to(device)
    photos = photos.to(device)
    figures: dict[str, Any] = {"name": card.name, "photos": len(photos), "size": photos.shape[-1]}
    stylized = stylized_by(network, photos)
    figures |= rounded(asdict(held_out_losses(criterion, photos, stylized)))
    figures |= pictures_figures(photos, stylized, chosen.lpips) | rounded(asdict(calmness(network, photos)))
    if chosen.judge:
        judge = VGGFeatures(loss_network(chosen.judge, ARCHITECTURE)).to(device)
        painting = read_painting(file, JUDGED_SIZE).to(device)
        figures["judged"] = round(judged_share(judge, painting, photos, stylized), 4)
    if chosen.gatys:
        some = photos[: chosen.gatys_photos]
        found = equivalents(network, criterion, some, chosen.gatys, chosen.gatys_optimizers, log.info)
        figures["gatys"] = {name: asdict(each) for name, each in found.items()}
        figures["gatys_photos"] = len(some)
    return figures


def pictures_figures(
    photos: Float[Tensor, "n 3 s s"], stylized: Float[Tensor, "n 3 s s"], with_lpips: bool
) -> dict[str, Any]:
    """What the pictures themselves show, whatever the network was trained with."""
    found = artifacts(photos, stylized)
    figures = {"ssim": ssim(photos, stylized), **asdict(found)}
    if with_lpips:
        figures["lpips"] = lpips(photos, stylized)
    return {**rounded(figures), "complaints": list(complaints(found).values())}


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def rebuilt_criterion(card: Card, painting: Path, weights: str) -> PerceptualLoss:
    """The criterion that the card tells of. Raises `UserError`, whatever a stranger's card has in its place."""
    try:
        loss, size = LossSettings.from_card(card.facts["loss"]), card.facts["painting"]["size"]
        digest = card.facts["loss_network"].get("sha256")
        architecture = str(card.facts["loss_network"].get("architecture", "vgg19"))
        layers = [*loss.content_layers, *loss.style_layers]
        if type(size) is not int or size > LARGEST or not all(isinstance(layer, str) for layer in layers):
            raise TypeError("what no run can have been set to")
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"the card of {card.name} does not tell how it was trained") from error
    found = loss_network(weights, architecture)
    if found.sha256 != digest:
        log.warning("%s was trained with other weights than %s: its losses mean something else", card.name, found.name)
    return criterion_for(VGGFeatures(found), read_painting(painting, size), loss, unit_photos())


def shipped_painting(card: Card) -> Path:
    """The painting of `configs/style/` that has the hash on the card."""
    painting = card.facts.get("painting")
    digest = painting.get("sha256") if isinstance(painting, dict) else None
    for path in sorted(STYLES.glob("*.jpg")):
        if file_sha256(path) == digest:
            return path
    raise UserError("this style's painting is not in configs/style/: name its file with --painting")


def parsed(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("styles", nargs="+", metavar="STYLE", help="names in checkpoints/, or style files")
    parser.add_argument("--photos", metavar="DIR", help="a folder of photos; default: the built-in held-out ones")
    parser.add_argument(
        "--size", type=int, nargs="+", default=[256], help="sides of the square photos in pixels; default 256"
    )
    parser.add_argument("--painting", metavar="FILE", help="the painting, where it is none of configs/style/")
    parser.add_argument("--weights", default="auto", help="of the loss network: auto, torchvision, or a file")
    parser.add_argument("--lpips", action="store_true", help="LPIPS as well: needs torchvision's AlexNet (233 MB)")
    parser.add_argument(
        "--judge", metavar="WEIGHTS", help="the judge's VGG16: torchvision, or a file with torchvision's weights"
    )
    parser.add_argument("--gatys", type=int, default=0, metavar="N", help="the Gatys-equivalent, looked for in N steps")
    parser.add_argument("--gatys-photos", type=int, metavar="M", help="on the first M photos only")
    parser.add_argument("--gatys-optimizers", nargs="+", choices=OPTIMIZERS, default=OPTIMIZERS, help="default: both")
    chosen = parser.parse_args(typed)
    if min(chosen.size) < SMALLEST:
        parser.error(f"--size must be at least {SMALLEST}, got {min(chosen.size)}")
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = parsed(arguments)
    for size in chosen.size:
        squares = folder_squares(chosen.photos, size) if chosen.photos else held_out_photos(size)[0]
        for style in chosen.styles:
            print(json.dumps(evaluate(chosen, style, squares.float() / 255)), flush=True)
    return 0
