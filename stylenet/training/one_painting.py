"""A run on one painting: what it reads, and the module that learns it."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.data import unit_photos
from stylenet.data.painting import read_painting_at
from stylenet.data.paintings import KNOWN
from stylenet.disk import file_sha256, find_painting
from stylenet.evaluation.appearance import SIDE as APPEARANCE_SIDE
from stylenet.evaluation.appearance import PaintingFigures
from stylenet.losses.criterion import criterion_for
from stylenet.losses.vgg import VGGFeatures, VGGWeights
from stylenet.models.catalog import StyleReference
from stylenet.models.predictor import SIDE
from stylenet.training.base_network import architecture_of, find_init, first_network
from stylenet.training.checks import Machine
from stylenet.training.module import StyleTransferModule
from stylenet.training.run_folder import style_name, style_place
from stylenet.training.settings import Settings
from stylenet.training.subject import Subject


@dataclass(frozen=True)
class Pixels:
    """A painting at the sizes at which it is learned, seen by predictors, and compared with results."""

    learned: Float[Tensor, "1 3 h w"]
    small: Float[Tensor, "1 3 h2 w2"]
    figures: PaintingFigures


def one_painting(settings: Settings, typed: str) -> Subject:
    """The painting of the settings, named after its file as it was `typed`. Raises `UserError`."""
    name = style_name(typed, settings.style.name, settings.style.suffix)
    file = find_painting(settings.style.image)
    learned, small, large = read_painting_at(file, (settings.style.size, SIDE, APPEARANCE_SIDE))
    base = find_init(settings.init, name, architecture_of(settings.network))
    sha256 = file_sha256(file)
    facts = {name: getattr(settings.style, name) for name in (*KNOWN, "size")}
    build = partial(build_module, Pixels(learned, small, PaintingFigures(large)), base)
    return Subject(
        name=name,
        place=style_place(name),
        facts={"painting": {**facts, "sha256": sha256}},
        inputs={"painting": sha256},
        shown=learned,
        build=build,
        base=base,
    )


def build_module(
    painting: Pixels, base: StyleReference | None, settings: Settings, machine: Machine, weights: VGGWeights
) -> StyleTransferModule:
    """The module, its loss network in the precision of the run."""
    vgg = VGGFeatures(weights)
    criterion = criterion_for(vgg, painting.learned, settings.loss, unit_photos())
    vgg.cast(torch.bfloat16 if machine.bf16 else torch.float32)
    form = architecture_of(settings.network)
    return StyleTransferModule(
        first_network(form, settings.seed, base, painting.small),
        criterion,
        learning_rate=settings.learning_rate,
        painting=painting.figures,
        flat_areas=settings.flat_areas,
    )
