"""Stylizes one picture by optimization: no network is needed, one painting and some patience are.

  python -m stylenet.optimize photo.jpg configs/style/wave.jpg -o result.jpg
  python -m stylenet.optimize photo.jpg painting.png --steps 100 --start noise --every 20

The picture is worked out at a small size first and refined at each doubling, the painting alongside.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from stylenet.cli.command import Parser
from stylenet.data import unit_photos
from stylenet.data.painting import find_painting, read_painting
from stylenet.device import DEVICES, pick_device
from stylenet.evaluation.optimization import OPTIMIZERS, STARTS, optimize, start_from
from stylenet.losses.criterion import criterion_for
from stylenet.losses.perceptual import PerceptualLoss, loss_preset
from stylenet.losses.vgg import VGGFeatures, load_vgg_weights
from stylenet.media.formats import write_image
from stylenet.media.image import decode_image, resized, to_tensor

SMALLEST = 64  # pixels, short side: below it no stroke of the painting is left


def stylized(chosen: argparse.Namespace) -> Float[Tensor, "1 3 h w"]:
    """The finished picture, in [0, 1]. Raises `UserError`."""
    device = pick_device(chosen.device)
    vgg = VGGFeatures(load_vgg_weights(chosen.weights, "vgg19")).to(device)
    loss = replace(loss_preset(), style_weight=chosen.style_weight)
    photo = decode_image(chosen.photo)
    picture = None
    for scale in [2.0**-level for level in reversed(range(chosen.scales))]:
        target = to_tensor(resized(photo, max(SMALLEST, round(chosen.size * scale))))[None].to(device)
        painting = read_painting(find_painting(chosen.painting), max(SMALLEST, round(chosen.style_size * scale)))
        criterion = criterion_for(vgg, painting.to(device), loss, unit_photos())
        picture = refine(criterion, target, picture, chosen)
    assert picture is not None
    return picture


def refine(
    criterion: PerceptualLoss, photo: Tensor, coarser: Tensor | None, chosen: argparse.Namespace
) -> Float[Tensor, "1 3 h w"]:
    """One size of coarse to fine, with a bar and pictures on the way."""
    height, width = photo.shape[-2:]
    start = start_from(chosen.start, photo) if coarser is None else enlarged(coarser, (height, width))
    with tqdm(total=chosen.steps, desc=f"{width} x {height}", unit="step") as bar:

        def watch(step: int, loss: float, picture: Tensor) -> None:
            bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            bar.update()
            if chosen.every and step % chosen.every == 0:
                write_image(between(chosen.output, width, step), picture[0].clamp(0, 1).cpu())

        return optimize(criterion, photo, start, chosen.steps, chosen.optimizer, watch)


def enlarged(picture: Float[Tensor, "1 3 h w"], size: tuple[int, int]) -> Float[Tensor, "1 3 h2 w2"]:
    return F.interpolate(picture, size, mode="bicubic", antialias=True).clamp(0, 1)


def between(output: Path, width: int, step: int) -> Path:
    """Where the picture on the way is kept: `result-0512-00020.jpg` beside `result.jpg`."""
    return output.with_name(f"{output.stem}-{width:04d}-{step:05d}{output.suffix}")


def parsed(typed: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("painting", help="a picture file")
    parser.add_argument("-o", "--output", type=Path, help="default: PHOTO-optimized.png beside the photo")
    parser.add_argument("--size", type=int, default=512, help="short side of the result in pixels; default 512")
    parser.add_argument("--style-size", type=int, default=384, help="short side of the painting; default 384")
    parser.add_argument("--steps", type=int, default=100, help="evaluations at each size; default 100")
    parser.add_argument("--scales", type=int, default=2, help="sizes from coarse to fine; default 2")
    parser.add_argument("--start", choices=STARTS, default="photo")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="lbfgs")
    parser.add_argument("--style-weight", type=float, default=loss_preset().weights["style"])
    parser.add_argument("--every", type=int, default=0, help="keep the picture every so many steps")
    parser.add_argument("--weights", default="auto", help="of the loss network: auto, torchvision, or a file")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    chosen = parser.parse_args(typed)
    for name, least in {"size": SMALLEST, "style_size": SMALLEST, "steps": 1, "scales": 1, "every": 0}.items():
        if getattr(chosen, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}, got {getattr(chosen, name)}")
    chosen.output = chosen.output or chosen.photo.with_name(f"{chosen.photo.stem}-optimized.png")
    if chosen.output.resolve() == chosen.photo.resolve():
        parser.error("--output must be another file than the photo")
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = parsed(arguments)
    write_image(chosen.output, stylized(chosen)[0].cpu())
    print(chosen.output)
    return 0
