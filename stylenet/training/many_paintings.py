"""A run on a folder of paintings, `styles=DIR`: what it reads, and the module that learns them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.data.paintings import Painting, read_paintings
from stylenet.disk import home_expanded, printable
from stylenet.errors import UserError, prefix_errors
from stylenet.losses.vgg import VGGWeights
from stylenet.models.catalog import GALLERY, StyleReference, find_reference
from stylenet.models.conditional import ConditionalNet
from stylenet.models.loading import load_style
from stylenet.models.network import NetworkSettings, StyleNetwork, initialize
from stylenet.models.predictor import CONVOLUTIONS, SIDE
from stylenet.models.style_file import read_card
from stylenet.models.transformer_net import TransformerNet
from stylenet.training.base_network import architecture_of, find_base, mismatch, suits
from stylenet.training.budget import SHEET_PHOTOS
from stylenet.training.checks import Machine
from stylenet.training.many_module import ManyStylesModule, paintings_of
from stylenet.training.many_targets import criteria_for
from stylenet.training.run_folder import style_place
from stylenet.training.settings import Settings
from stylenet.training.subject import Subject

log = logging.getLogger(__name__)

PREDICTOR = 64  # channels of its hidden layer


def many_paintings(settings: Settings) -> Subject:
    """The paintings of a folder. Raises `UserError`, also rather than replace a network unasked."""
    name = (settings.style.name or GALLERY) + settings.style.suffix
    place = style_place(name)
    check_free(place, settings.replace, "replace=true overwrites it")
    paintings = read_paintings(home_expanded(settings.styles or ""), settings.style.size)
    form = architecture_of(settings.network).single_style()
    base = find_start(settings.init, name, form)
    return Subject(
        name=name,
        place=place,
        facts={"styles": [{"name": painting.name, **painting.facts} for painting in paintings]},
        inputs={"paintings": [f"{painting.name} {painting.facts['sha256']}" for painting in paintings]},
        shown=mosaic([paintings[index] for index in paintings_of(0, SHEET_PHOTOS, len(paintings), settings.seed)]),
        build=partial(build_module, paintings, form, base),
        base=base,
        style=paintings[0].name,
    )


def check_free(place: Path, replace_it: bool, remedy: str) -> None:
    """Raises `UserError`, which offers the remedy, where a file is that may not be replaced."""
    if place.exists() and not replace_it:
        raise UserError(f"{printable(place)} exists; {remedy}, style.name= gives another name")


def mosaic(paintings: Sequence[Painting]) -> Float[Tensor, "1 3 p q"]:
    """The middle squares of four paintings, two by two, in the order of the photos on a contact sheet."""
    squares = []
    for painting in paintings:
        top, left = ((length - SIDE) // 2 for length in painting.small.shape[2:])
        squares.append(painting.small[..., top : top + SIDE, left : left + SIDE])
    return torch.cat([torch.cat(squares[:2], 3), torch.cat(squares[2:], 3)], 2)


def find_start(init: str | None, name: str, form: NetworkSettings) -> StyleReference | None:
    """The network to start from: one of many styles where `init` names it, else as for one painting."""
    if init not in (None, "auto"):
        with prefix_errors("init"):
            named = find_reference(init)
            found = read_card(named.file).network
            if named.style is None and found.architecture == "conditional":
                if not suits(found.single_style(), form):
                    raise mismatch(named, found, form)
                return named
    return find_base(init, name, form)


def build_module(
    paintings: Sequence[Painting],
    form: NetworkSettings,
    base: StyleReference | None,
    settings: Settings,
    machine: Machine,
    weights: VGGWeights,
) -> ManyStylesModule:
    network = new_network(replace(form, predictor=predictor_width(weights)), paintings, weights, settings.seed)
    if base is not None:
        start, card = load_style(base)
        names = card.style_names
        begin_at(network, start, [names.index(each.name) if each.name in names else None for each in paintings])
    statistics = statistics_of(network, paintings)
    if network.predictor is not None and statistics is not None:
        with torch.no_grad():
            network.table.sub_(network.neutral + network.predictor.from_statistics(statistics))
    criteria = criteria_for(weights, paintings, settings.loss, machine.device, machine.bf16)
    log.info("targets of %d paintings: %.0f MB", len(paintings), criteria.megabytes)
    return ManyStylesModule(
        network,
        criteria,
        statistics,
        seed=settings.seed,
        learning_rate=settings.learning_rate,
        flat_areas=settings.flat_areas,
    )


def predictor_width(weights: VGGWeights) -> int:
    """The predictor's width; 0 where the loss network is no VGG19, with whose first layers its encoder begins."""
    shapes = {name: tuple(weights.convolutions[name][0].shape[1::-1]) for name in CONVOLUTIONS}
    if shapes == CONVOLUTIONS:
        return PREDICTOR
    log.warning("the loss network is not as wide as VGG19: this network will have no predictor")
    return 0


def new_network(form: NetworkSettings, paintings: Sequence[Painting], weights: VGGWeights, seed: int) -> ConditionalNet:
    """A network with random weights of the seed, and the loss network's first layers in the predictor."""
    network = initialize(ConditionalNet(replace(form, architecture="conditional", styles=len(paintings))), seed)
    if network.predictor is not None:
        found = {name: weights.convolutions[name] for name in CONVOLUTIONS}
        network.predictor.encoder.take(found, torch.tensor(weights.mean), torch.tensor(weights.std))
        if (statistics := statistics_of(network, paintings)) is not None:
            network.predictor.standardize(statistics)
    return network


def statistics_of(network: ConditionalNet, paintings: Sequence[Painting]) -> Float[Tensor, "n s"] | None:
    """The predictor's inputs for the paintings; None without a predictor."""
    if network.predictor is None:
        return None
    return torch.cat([network.predictor.encoder(painting.small) for painting in paintings])


@torch.no_grad()
def begin_at(network: ConditionalNet, base: StyleNetwork, rows: Sequence[int | None]) -> None:
    """Puts a trained network's weights in place: of one style, which every painting then begins with, or of many.

    `rows` are the places of the paintings in the table of many; None for those that are not there.
    """
    if isinstance(base, TransformerNet):
        row = network.take(base)
        network.table.copy_(row.expand_as(network.table))
        if network.predictor is not None:
            network.predictor.head.bias.copy_(row - network.neutral)
        return
    if not isinstance(base, ConditionalNet) or base.settings.predictor != network.settings.predictor:
        raise UserError("init: this network cannot be the start of a network of many styles")
    network.load_state_dict({name: value for name, value in base.state_dict().items() if name != "table"}, strict=False)
    mean = base.table.mean(0)
    network.table.copy_(torch.stack([mean if row is None else base.table[row] for row in rows]))
