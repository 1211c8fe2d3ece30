"""How good are these networks? `python -m stylenet.evaluate STYLE [--photos DIR]` prints one JSON line for each.

Losses are those that the network was trained with, unweighted, on photos it has not seen: the built-in held-out ones,
or a folder's. `untouched` are the photos themselves; `share` is style over untouched style.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.checkpoints import find_style
from stylenet.device import pick_device
from stylenet.errors import UserError
from stylenet.evaluation import held_out_losses
from stylenet.losses import LossSettings, PerceptualLoss
from stylenet.painting import STYLES, find_painting, read_painting
from stylenet.photos import folder_squares, held_out_photos
from stylenet.style_file import Card, load_style
from stylenet.vgg import VGGFeatures, load_vgg_weights
from stylenet.vgg.download import file_sha256


def evaluate(style: str, photos: Float[Tensor, "n 3 s s"], painting: str | None, weights: str) -> dict[str, object]:
    """The figures of one style file. Raises `UserError`."""
    device = pick_device()
    network, card = load_style(find_style(style), device)
    criterion = rebuilt_criterion(card, painting, weights).to(device)
    result = asdict(held_out_losses(network, criterion, photos.to(device)))
    figures = {name: round(value, 4) for name, value in result.items()}
    return {"style": card.name, "photos": len(photos), "size": photos.shape[-1], **figures}


def rebuilt_criterion(card: Card, painting: str | None, weights: str) -> PerceptualLoss:
    """The criterion that the card tells of."""
    try:
        about, loss = card.facts["painting"], LossSettings(**card.facts["loss"])
        architecture = card.facts["loss_network"].get("architecture", "vgg19")
        file = find_painting(painting) if painting else shipped_painting(about["sha256"])
        picture = read_painting(file, about["size"])
    except (KeyError, TypeError) as error:
        raise UserError(f"the card of {card.name} does not tell how it was trained") from error
    return PerceptualLoss(VGGFeatures(load_vgg_weights(weights, architecture)), picture, loss)


def shipped_painting(digest: str) -> Path:
    """The painting of `configs/style/` that has this hash."""
    for path in sorted(STYLES.glob("*.jpg")):
        if file_sha256(path) == digest:
            return path
    raise UserError("this style's painting is not in configs/style/: name its file with --painting")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stylenet.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("styles", nargs="+", metavar="STYLE", help="names in checkpoints/, or style files")
    parser.add_argument("--photos", metavar="DIR", help="a folder of photos; default: the built-in held-out ones")
    parser.add_argument("--size", type=int, default=256, help="side of the square photos in pixels; default 256")
    parser.add_argument("--painting", metavar="FILE", help="the painting, where it is none of configs/style/")
    parser.add_argument("--weights", default="auto", help="of the loss network: auto, torchvision, or a file")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    try:
        squares = folder_squares(chosen.photos, chosen.size) if chosen.photos else held_out_photos(chosen.size)[0]
        for style in chosen.styles:
            print(json.dumps(evaluate(style, squares.float() / 255, chosen.painting, chosen.weights)), flush=True)
    except UserError as error:
        print(f"stylenet.evaluate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(main())
