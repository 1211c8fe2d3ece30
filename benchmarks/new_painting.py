"""A network of many styles as the start of a new painting: held-out loss by seconds from random weights,
from another painting's network and from what is predicted for it, with a sheet of the images at the end.

python benchmarks/new_painting.py sheet.png paintings/held-out/*.jpg --seconds 60 --gallery gallery
python benchmarks/new_painting.py sheet.png paintings/shipped/wave.jpg --seconds 206 --starts random learned

`learned` is the gallery's own style of the file's name.

All starts take their steps in turns, so that a busy machine slows all alike; seconds are those of the processor.
"""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.data import held_out_photos, open_photos, unit_photos
from stylenet.data.crops import RandomCrops
from stylenet.data.painting import read_painting
from stylenet.data.settings import PhotoSettings
from stylenet.evaluation.contact_sheet import save_sheet
from stylenet.losses.criterion import criterion_for
from stylenet.losses.perceptual import PerceptualLoss, loss_preset
from stylenet.losses.vgg import VGGFeatures, load_vgg_weights
from stylenet.models.catalog import find_reference
from stylenet.models.loading import load_single_style
from stylenet.models.network import StyleNetwork
from stylenet.models.predictor import SIDE
from stylenet.training.base_network import architecture_of, first_network
from stylenet.training.budget import GRADIENT_CLIP
from stylenet.training.module import make_optimizer
from stylenet.training.settings import Style, network_preset
from stylenet.training.step import as_floats, rate_factor, total_of

CROP, JUDGED = 192, 256  # pixels
STARTS = ("random", "base", "predicted", "learned")
POINTS = (0.0, 0.25, 0.5, 1.0)  # of the seconds, where the loss is measured


@dataclass
class Contestant:
    """A start, and what it has become."""

    label: str
    network: StyleNetwork
    seconds: float = 0.0
    found: dict[float, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network.to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer({1.0: list(self.network.parameters())}, 2e-3)


@torch.inference_mode()
def held_out(network: StyleNetwork, criterion: PerceptualLoss, photos: Float[Tensor, "n 3 s s"]) -> float:
    """The weighted terms that need no network, as the training minimizes them: mean over the photos."""
    return float(torch.stack([criterion.total(network(photo[None]).float(), photo[None]) for photo in photos]).mean())


def step(one: Contestant, criterion: PerceptualLoss, photos: Tensor, number: int, seconds: float) -> None:
    begun = time.process_time()
    for group in one.optimizer.param_groups:
        group["lr"] = 2e-3 * rate_factor(int(10 * one.seconds), max(1, int(10 * seconds)))
    values = criterion.weighted(criterion(one.network(photos).float(), photos, network=one.network, number=number))
    one.optimizer.zero_grad()
    total_of(values).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(one.network.parameters(), GRADIENT_CLIP)
    one.optimizer.step()
    one.seconds += time.process_time() - begun


def compete(contestants: list[Contestant], criterion: PerceptualLoss, seconds: float) -> None:
    """Trains all for so many seconds each, and measures them on the way."""
    photos = held_out_photos(JUDGED)[0][::4].float() / 255
    crops = iter(RandomCrops(open_photos(PhotoSettings()), CROP, 1, 0))
    number = 0
    while any(len(one.found) < len(POINTS) for one in contestants):
        batch = as_floats(next(crops))
        for one in contestants:
            if (due := POINTS[min(len(one.found), len(POINTS) - 1)]) not in one.found and one.seconds >= due * seconds:
                one.found[due] = held_out(one.network, criterion, photos)
            if len(one.found) < len(POINTS):
                step(one, criterion, batch, number, seconds)
        number += 1


def beginning(start: str, chosen: argparse.Namespace, painting: Path) -> StyleNetwork:
    """The network of a start, before its training."""
    if start == "learned":
        return load_single_style(f"{chosen.gallery}#{painting.stem}")[0].train()
    base = {"random": None, "base": chosen.base, "predicted": chosen.gallery}[start]
    form = architecture_of(network_preset())
    return first_network(form, 0, base and find_reference(base), read_painting(painting, SIDE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("paintings", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--gallery", default="gallery")
    parser.add_argument("--base", default="starry", help="the style of the start `base`")
    parser.add_argument("--starts", nargs="+", default=STARTS[:3], choices=STARTS)
    parser.add_argument("--shown", type=int, default=2, help="photos on the sheet")
    parser.add_argument("--weights", default="auto", help="of the loss network")
    chosen = parser.parse_args()
    vgg = VGGFeatures(load_vgg_weights(chosen.weights))
    vgg.cast(torch.float32)
    rows = []
    shown = held_out_photos(384)[0][: 4 * chosen.shown : 4].float() / 255
    print(f"| painting | start | {' | '.join(f'{point * chosen.seconds:.0f} s' for point in POINTS)} |")
    print(f"|{'---|' * (2 + len(POINTS))}", flush=True)
    for file in chosen.paintings:
        criterion = criterion_for(vgg, read_painting(file, Style().size), loss_preset(), unit_photos())
        contestants = [Contestant(start, beginning(start, chosen, file)) for start in chosen.starts]
        with torch.inference_mode():
            preview = [contestants[-1].network(photo[None]) for photo in shown]
        compete(contestants, criterion, chosen.seconds)
        for one in contestants:
            print(f"| {file.stem} | {one.label} | {' | '.join(f'{one.found[p]:.2f}' for p in POINTS)} |", flush=True)
        with torch.inference_mode():
            images = [[one.network(photo[None]) for one in contestants] for photo in shown]
        for photo, before, after in zip(shown, preview, images, strict=True):
            rows.append(torch.cat([squared(read_painting(file, 384)), photo[None], before, *after], 3))
    save_sheet(torch.cat(rows, 2)[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0), chosen.sheet)
    print("\nsheet: painting, photo, the last start without training, then trained from", ", ".join(chosen.starts))


def squared(painting: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 s s"]:
    side = min(painting.shape[2:])
    top, left = ((length - side) // 2 for length in painting.shape[2:])
    return painting[..., top : top + side, left : left + side]


if __name__ == "__main__":
    main()
