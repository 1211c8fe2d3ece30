"""A run on a further painting for a network of many, `add_to=FILE`: what it reads, and the module that learns it."""

import logging
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import nn

from stylenet.data.paintings import Painting, read_painting_file
from stylenet.disk import file_sha256, find_painting, home_expanded, plain_name, printable
from stylenet.errors import UserError, prefix_errors
from stylenet.losses.vgg import VGGWeights
from stylenet.models.catalog import CHECKPOINTS, find_reference
from stylenet.models.conditional import ConditionalNet
from stylenet.models.hub import style_name
from stylenet.models.style_file import check_styles, read_style
from stylenet.training.checks import Machine
from stylenet.training.many_module import ManyStylesModule
from stylenet.training.many_paintings import check_free
from stylenet.training.many_targets import criteria_for
from stylenet.training.run_folder import EXTENDED, style_place
from stylenet.training.settings import Settings
from stylenet.training.subject import Subject

log = logging.getLogger(__name__)


def further_painting(settings: Settings, typed: str) -> Subject:
    """The painting of the settings, named after its file as it was `typed`. Raises `UserError`."""
    asked = settings.add_to or ""
    source = whole_file(asked)
    network, card = read_style(source)
    if not isinstance(network, ConditionalNet):
        raise UserError(f"add_to: {printable(source)} holds one style; it must be a network of many styles")
    name = settings.style.name or plain_name(typed)
    if name in card.style_names:
        raise UserError(f"add_to: {printable(source)} has a style {name} already; style.name= gives another name")
    painting = read_painting(settings, name)
    check_styles([*card.facts["styles"], painting.facts])
    place = place_of(asked, source, name, settings.replace)
    sha256 = file_sha256(source)
    return Subject(
        name=place.stem,
        place=place,
        facts={"styles": [{"name": name, **painting.facts}]},
        inputs={"painting": painting.facts["sha256"], EXTENDED: sha256},
        shown=painting.pixels,
        build=partial(build_module, painting, network),
        style=name,
        card=card,
        replaced=sha256 if place == source else None,
    )


def whole_file(text: str) -> Path:
    """The file that `add_to` names, not one style in it. Raises `UserError`."""
    with prefix_errors("add_to"):
        found = find_reference(text)
        if found.style is not None:
            raise UserError(f"styles are added to a whole file: leave out #{printable(found.style)}")
    return found.file


def read_painting(settings: Settings, name: str) -> Painting:
    known = {key: value for key, value in asdict(settings.style).items() if value}
    with prefix_errors("style.image"):
        painting = read_painting_file(find_painting(settings.style.image), settings.style.size, known)
    if "license" not in painting.facts:
        log.warning("%s has no license; style.license= names it", printable(name))
    return painting


def place_of(asked: str, source: Path, painting: str, replace_it: bool) -> Path:
    """The file for a network and one more painting: beside a file that was typed, else in `checkpoints/`.

    With `replace_it`, the network's own file. Raises `UserError` rather than replace a file unasked, or one that
    belongs to the package or a cache.
    """
    folder = source.parent if os.path.isfile(home_expanded(asked)) else CHECKPOINTS
    own = folder.resolve() == source.parent.resolve()
    if replace_it and own:
        return source
    if replace_it:
        raise UserError(f"replace=true: {printable(source)} is not yours to replace; without it a new file is written")
    place = style_place(f"{style_name(source)}-{painting}", folder)
    check_free(place, False, f"replace=true adds the style to {printable(source)} instead" if own else "remove it")
    return place


def build_module(
    painting: Painting, network: ConditionalNet, settings: Settings, machine: Machine, weights: VGGWeights
) -> ManyStylesModule:
    with torch.no_grad():
        known = network.predictor is not None
        row = network.predicted(painting.small) if known else network.table.mean(0, keepdim=True)
    return ManyStylesModule(
        network.requires_grad_(False),
        criteria_for(weights, [painting], settings.loss, machine.device, machine.bf16),
        added=nn.Parameter(row.clone()),
        learning_rate=settings.learning_rate,
        flat_areas=settings.flat_areas,
    )
