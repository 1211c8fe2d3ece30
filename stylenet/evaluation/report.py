"""All figures of one network: losses, appearance, similarity, stability, artifacts, and the Gatys equivalent."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.data import unit_photos
from stylenet.data.painting import read_painting
from stylenet.device import pick_device
from stylenet.disk import file_sha256, find_painting, printable, shipped_painting_of
from stylenet.errors import UserError
from stylenet.evaluation.appearance import SIDE, PaintingFigures, appearance
from stylenet.evaluation.artifacts import artifacts, complaints
from stylenet.evaluation.gatys import equivalents
from stylenet.evaluation.held_out import held_out_losses, stylized_by
from stylenet.evaluation.judge import ARCHITECTURE, LAYERS, style_ratio_vgg16
from stylenet.evaluation.settings import SMALLEST_SIDE, EvaluationSettings
from stylenet.evaluation.similarity import lpips, ssim
from stylenet.evaluation.stability import stability
from stylenet.losses.criterion import criterion_for
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.terms import LOSS_TERMS
from stylenet.losses.vgg import VGGFeatures, load_vgg_weights
from stylenet.models.loading import load_single_style
from stylenet.models.style_file import Card

log = logging.getLogger(__name__)

LARGEST = 4096  # pixels, short side of a painting
load_once = cache(load_vgg_weights)  # for all styles and sizes


class UnknownPaintingError(UserError):
    """The painting of a style is not one of the shipped ones, and its file was not given."""


def evaluate(
    style: str | os.PathLike[str], photos: Tensor, settings: EvaluationSettings | None = None
) -> dict[str, Any]:
    """The figures of one style on photos, floats in [0, 1] or bytes, 64 px or more. Raises `UserError`."""
    photos = checked_photos(photos)
    settings = settings or EvaluationSettings()
    device = pick_device()
    network, card = load_single_style(style, device)
    yardstick = Yardstick(card, settings, device)
    photos = photos.to(device)
    stylized = stylized_by(network, photos)
    figures = {"name": card.name, "photos": len(photos), "size": min(photos.shape[-2:])}
    figures |= yardstick.measure(photos, stylized) | round_figures(asdict(stability(network, photos)))
    if settings.gatys_steps:
        some = photos[: settings.gatys_photos]
        found = equivalents(
            network, yardstick.criterion, some, settings.gatys_steps, settings.gatys_optimizers, log.info
        )
        figures["gatys"] = {name: asdict(each) for name, each in found.items()}
        figures["gatys_photos"] = len(some)
    return figures


def checked_photos(photos: object) -> Tensor:
    """The photos as fp32 in [0, 1]. Raises `UserError` for what is no batch of photos, or cannot be measured."""
    wanted = f"photos must be a tensor (n, 3, h, w), uint8 or float in [0, 1], of {SMALLEST_SIDE} px or more"
    if not isinstance(photos, Tensor):
        raise UserError(f"{wanted}, got {type(photos).__name__}")
    if photos.dim() != 4 or photos.shape[1] != 3 or not len(photos) or min(photos.shape[2:]) < SMALLEST_SIDE:
        raise UserError(f"{wanted}, got {tuple(photos.shape)}")
    if photos.dtype != torch.uint8 and not photos.is_floating_point():
        raise UserError(f"{wanted}, got {str(photos.dtype).removeprefix('torch.')}")
    floats = photos.float() / 255 if photos.dtype == torch.uint8 else photos.detach().float()
    low, high = (float(value) for value in floats.aminmax())
    if not 0 <= low <= high <= 1:  # NaN is not
        raise UserError(f"{wanted}, got values from {low:.3g} to {high:.3g}")
    return floats


class Yardstick:
    """The figures of images in the style of a card, whatever made them. Raises `UserError`."""

    def __init__(self, card: Card, settings: EvaluationSettings, device: torch.device) -> None:
        file = given_painting(card, settings.painting) if settings.painting else shipped_painting(card)
        self.lpips = settings.lpips
        self.criterion = rebuilt_criterion(card, file, settings.weights).to(device)
        self.judge = VGGFeatures(load_once(settings.judge, ARCHITECTURE)).to(device) if settings.judge else None
        self.painting = read_painting(file, SIDE, "painting").to(device)
        self.painting_figures = PaintingFigures(self.painting)
        self.painting_features = self.features(self.painting)

    def measure(self, photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]) -> dict[str, Any]:
        """Losses, appearance, similarity and artifacts of stylized photos; all in [0, 1]."""
        figures: dict[str, Any] = round_figures(asdict(held_out_losses(self.criterion, photos, stylized)))
        figures |= image_figures(photos, stylized, self.lpips) | self.appearance(stylized)
        if self.judge:
            ratio = style_ratio_vgg16(self.judge, self.painting, photos, stylized)
            figures |= round_figures({"style_ratio_vgg16": ratio})
        return figures

    def appearance(self, images: Float[Tensor, "n 3 h w"]) -> dict[str, Any]:
        """The mean figures of `stylenet.evaluation.appearance`; the images are compared at their own size."""
        each = [
            asdict(appearance(image, self.painting_figures, self.features(image), self.painting_features))
            for image in (image[None] for image in images)
        ]
        return {name: mean_of([figures[name] for figures in each]) for name in each[0]}

    @torch.inference_mode()
    def features(self, image: Float[Tensor, "1 3 h w"]) -> dict[str, Tensor]:
        """Features of the judge where it is given, else of the loss network."""
        vgg, layers = (self.judge, LAYERS) if self.judge else (self.criterion.vgg, self.criterion.settings.style_layers)
        features: dict[str, Tensor] = vgg(image, layers)
        return features


def mean_of(values: Sequence[Any]) -> Any:
    """The rounded mean; of tuples that of each place; None where there is no value."""
    if isinstance(values[0], tuple):
        return [mean_of(column) for column in zip(*values, strict=True)]
    return None if None in values else round(fmean(values), 4)


def image_figures(
    photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"], with_lpips: bool
) -> dict[str, Any]:
    """Figures of the images themselves, whatever the network was trained with."""
    found = artifacts(photos, stylized)
    figures = {"ssim": ssim(photos, stylized), **asdict(found)}
    if with_lpips:
        figures["lpips"] = lpips(photos, stylized)
    return {**round_figures(figures), "complaints": list(complaints(found).values())}


def round_figures(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in figures.items()}


def rebuilt_criterion(card: Card, painting: Path, weights: str) -> PerceptualLoss:
    """The criterion that the card says the network was trained with. Raises `UserError` for any card that does not.

    It judges by the painting's own chroma and by all of the photo, whatever the training did with `chroma` and
    `flat_content`. The painting is as light as in the training: results are compared with what was wanted of them.
    """
    try:
        loss, size = LossSettings.from_card(card.facts["loss"]), card.facts["painting"]["size"]
        digest = card.facts["loss_network"].get("sha256")
        architecture = str(card.facts["loss_network"].get("architecture", "vgg19"))
        layers = [*loss.content_layers, *loss.style_layers, *loss.full_size_layers]
        if type(size) is not int or size > LARGEST or not all(isinstance(layer, str) for layer in layers):
            raise TypeError("values that no run can have")
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"the card of {card.name} does not say how it was trained") from error
    found = load_once(weights, architecture)
    if found.sha256 != digest:
        log.warning("%s was trained with other weights than %s: losses are not comparable", card.name, found.name)
    known = {name: weight for name, weight in loss.weights.items() if name in LOSS_TERMS}
    if unknown := sorted(loss.weights.keys() - known):
        log.warning("%s was trained with a further term, which is left out: %s", card.name, ", ".join(unknown))
    plain = replace(loss, chroma=1.0, flat_content=1.0, weights=known)
    return criterion_for(VGGFeatures(found), read_painting(painting, size), plain, unit_photos())


def given_painting(card: Card, painting: str) -> Path:
    """The file that was given as the painting of a card, with a warning where it is another. Raises `UserError`."""
    path = find_painting(painting, "painting")
    if card.painting_sha256 and file_sha256(path) != card.painting_sha256:
        log.warning("%s was trained on another painting than %s", card.name, printable(path))
    return path


def shipped_painting(card: Card) -> Path:
    """The painting of `configs/style/` that has the hash on the card. Raises `UnknownPaintingError`."""
    if path := shipped_painting_of(card.painting_sha256):
        return path
    raise UnknownPaintingError(f"the painting of {card.name} is not one of the shipped ones: its file must be given")
