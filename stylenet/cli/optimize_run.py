"""The work of `stylenet optimize`: one image, optimized from coarse to fine."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from stylenet.data import unit_photos
from stylenet.data.painting import read_painting
from stylenet.device import memory_errors, pick_device
from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.evaluation.optimization import optimize, start_from
from stylenet.losses.criterion import criterion_for
from stylenet.losses.perceptual import LossSettings, PerceptualLoss, loss_preset
from stylenet.losses.vgg import VGGFeatures, load_vgg_weights
from stylenet.media.encoders import write_image
from stylenet.media.image import decode_image, resize, to_tensor
from stylenet.media.painting import decode_painting

SMALLEST = 64  # pixels, as for the options


def optimize_image(chosen: argparse.Namespace) -> Float[Tensor, "3 h w"]:
    """The finished image, in [0, 1]. Raises `UserError`, for an unreadable image before the loss network is loaded."""
    photo, _ = decode_image(chosen.photo, srgb=True), decode_painting(chosen.painting)
    device = pick_device(chosen.device)
    vgg = VGGFeatures(load_vgg_weights(chosen.weights, "vgg19")).to(device)
    loss = loss_settings(chosen.style_weight)
    image = None
    too_large = f"out of memory: {chosen.size} px does not fit; a smaller --size or --style-size may"
    with memory_errors(too_large):
        for scale in [2.0**-level for level in reversed(range(chosen.scales))]:
            target = to_tensor(resize(photo, max(SMALLEST, round(chosen.size * scale))))[None].to(device)
            painting = read_painting(chosen.painting, max(SMALLEST, round(chosen.style_size * scale)))
            criterion = criterion_for(vgg, painting.to(device), loss, unit_photos())
            image = optimize_at_size(criterion, target, image, chosen)
    if image is None:
        raise UserError("the number of scales must be at least 1")
    return image[0].cpu()


def loss_settings(style_weight: float | None) -> LossSettings:
    """Training's default loss, with another weight of the style if one is given."""
    usual = loss_preset()
    return usual if style_weight is None else replace(usual, weights={**usual.weights, "style": style_weight})


def optimize_at_size(
    criterion: PerceptualLoss, photo: Tensor, coarser: Tensor | None, chosen: argparse.Namespace
) -> Float[Tensor, "1 3 h w"]:
    """The image at one size, with a progress bar on a terminal; writes images on the way if they are wanted."""
    height, width = photo.shape[-2:]
    start = start_from(chosen.start, photo) if coarser is None else enlarge(coarser, (height, width))
    with tqdm(total=chosen.steps, desc=f"{width} x {height}", unit="step", disable=None) as bar:

        def watch(step: int, loss: float, image: Tensor) -> None:
            bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            bar.update()
            if chosen.every and step % chosen.every == 0:
                write(on_the_way(chosen.output, width, step), image[0].clamp(0, 1).cpu())

        return optimize(criterion, photo, start, chosen.steps, chosen.optimizer, watch)


def enlarge(image: Float[Tensor, "1 3 h w"], size: tuple[int, int]) -> Float[Tensor, "1 3 h2 w2"]:
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def on_the_way(output: Path, width: int, step: int) -> Path:
    """The file of an intermediate image: `result-0512-00020.jpg` beside `result.jpg`."""
    return output.with_name(f"{output.stem}-{width:04d}-{step:05d}{output.suffix}")


def write(path: Path, image: Float[Tensor, "3 h w"]) -> None:
    """Writes an image. Raises `UserError` also for what the disk refuses."""
    try:
        write_image(path, image)
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {error.strerror}") from error
