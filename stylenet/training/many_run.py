"""The commands that train on many paintings: `styles=DIR`, and `add_to=FILE` for a further one."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from os import fspath
from pathlib import Path

import torch
from torch import nn

from stylenet.data import RandomCrops, open_photos
from stylenet.data.painting import find_painting
from stylenet.data.paintings import Painting, read_painting_file, read_paintings
from stylenet.data.sets import Photos
from stylenet.disk import file_sha256, plain_name, printable
from stylenet.errors import UserError, prefix_errors
from stylenet.losses.vgg import VGGWeights, load_vgg_weights
from stylenet.models.catalog import CHECKPOINTS, GALLERY, find_reference
from stylenet.models.conditional import ConditionalNet
from stylenet.models.hub import style_name
from stylenet.models.loading import load_style
from stylenet.models.network import NetworkSettings, parameter_count
from stylenet.models.predictor import CONVOLUTIONS
from stylenet.models.style_file import SUFFIX, Card, check_styles, read_card, read_style
from stylenet.training import many_styles
from stylenet.training.base_network import base_facts, find_base, mismatch, suits
from stylenet.training.callbacks.stop_on_signal import StopOnSignal
from stylenet.training.card import run_facts, training_facts
from stylenet.training.checks import validate
from stylenet.training.many_files import finish, further_target, new_target
from stylenet.training.many_targets import criteria_for
from stylenet.training.run_folder import MANY, OUTPUTS, disk_errors, locked
from stylenet.training.settings import Settings

log = logging.getLogger(__name__)

PREDICTOR = 64  # channels of its hidden layer, where the network's settings name none
REPORTS = 20  # lines over a run
NOT_IN_DIGEST = ("logger", "replace", "resume", "styles", "add_to", "patience")
TARGETS = "targets"  # in outputs/: what is known of paintings, for the next run with them


def run_many(settings: Settings, folder: Path) -> None:
    """Trains a network on all paintings of a folder."""
    machine = validate(settings, None)
    name = (settings.style.name or GALLERY) + settings.style.suffix
    target = new_target(CHECKPOINTS / f"{name}{SUFFIX}", settings.replace, "replace=true overwrites it")
    paintings = read_paintings(folder, settings.style.size)
    photos = photos_for(settings)
    weights = load_vgg_weights(settings.loss_network.weights, settings.loss_network.architecture)
    device, bf16 = machine.device, machine.bf16
    form = NetworkSettings(**asdict(settings.network), predictor=predictor_width(weights))
    network = many_styles.new_network(form, paintings, weights, settings.seed)
    start = begin(network, settings, name, [painting.name for painting in paintings])
    network.to(device).to(memory_format=torch.channels_last)
    statistics = many_styles.statistics_of(network, paintings)
    many_styles.apart(network, statistics, -1)
    criteria = criteria_for(weights, paintings, settings.loss, device, bf16, OUTPUTS / TARGETS)
    log.info("targets of %d paintings: %.0f MB", len(paintings), criteria.megabytes)
    step = many_styles.many_step(network, criteria, statistics, settings.seed, bf16, settings.flat_areas)
    inputs = [f"{painting.name} {painting.facts['sha256']}" for painting in paintings]
    inputs += [weights.sha256, (start or {}).get("sha256", "")]
    run = train(settings, photos, name, inputs, many_styles.learned_by(network), step)
    many_styles.apart(network, statistics, 1)
    styles = {"styles": [{"name": painting.name, **painting.facts} for painting in paintings]}
    training = training_facts(settings, weights, start, run.steps)
    facts = run_facts(styles, training, settings, machine, photos.sources, network)
    finish(network.half(), Card(name, network.settings, facts), target, run.folder, paintings[0].name)


def run_further(settings: Settings, file: str) -> None:
    """Trains the norm parameters of a further painting for a network of many."""
    machine = validate(settings, None)
    source = whole_file(file)
    network, card = read_style(source)
    if not isinstance(network, ConditionalNet):
        raise UserError(f"add_to: {printable(source)} holds one style; it must be a network of many styles")
    painting = further_painting(settings)
    if painting.name in card.style_names:
        raise UserError(
            f"add_to: {printable(source)} has a style {painting.name} already; style.name= gives another name"
        )
    check_styles([*card.facts["styles"], painting.facts])
    target = further_target(file, source, painting.name, settings.replace)
    photos = photos_for(settings)
    weights = load_vgg_weights(settings.loss_network.weights, settings.loss_network.architecture)
    device, bf16 = machine.device, machine.bf16
    with torch.no_grad():
        known = network.predictor is not None
        start = network.predicted(painting.small)[0] if known else network.table.mean(0)
    row = nn.Parameter(start.to(device).clone())
    network.requires_grad_(False).to(device)
    criteria = criteria_for(weights, [painting], settings.loss, device, bf16, OUTPUTS / TARGETS)
    step = many_styles.further_step(network, row, criteria, bf16, settings.flat_areas)
    inputs = [file_sha256(source), painting.facts["sha256"], weights.sha256]
    run = train(settings, photos, f"{style_name(source)}-{painting.name}", inputs, {many_styles.ROW_RATE: [row]}, step)
    larger = network.extended(row)
    if all(torch.equal(value, value.half().float()) for value in network.state_dict().values()):
        larger.half()  # the file holds 16 bits, and so all other styles keep theirs
    style = {"name": painting.name, **painting.facts, "training": training_facts(settings, weights, None, run.steps)}
    known_styles = [*card.facts["styles"], style]
    facts = {**card.facts, "styles": known_styles, "parameters": parameter_count(larger)}
    larger_card = Card(target.path.stem, larger.settings, facts)
    finish(larger, larger_card, target, run.folder, painting.name)


def whole_file(text: str) -> Path:
    """The file that `add_to` names, not one style in it. Raises `UserError`."""
    with prefix_errors("add_to"):
        found = find_reference(text)
        if found.style is not None:
            raise UserError(f"styles are added to a whole file: leave out #{printable(found.style)}")
    return found.file


def further_painting(settings: Settings) -> Painting:
    file = find_painting(settings.style.image)
    known = {key: value for key, value in asdict(settings.style).items() if value}
    with prefix_errors("style.image"):
        painting = read_painting_file(file, settings.style.size, known)
    if "license" not in painting.facts:
        log.warning("%s has no license; style.license= names it", printable(painting.name))
    return replace(painting, name=settings.style.name or plain_name(settings.style.image))


@dataclass(frozen=True)
class Run:
    """A training that came to its end: its folder, and how many steps it took."""

    folder: Path
    steps: int


def train(
    settings: Settings,
    photos: Photos,
    name: str,
    inputs: list[str],
    learned: Mapping[float, Sequence[nn.Parameter]],
    step: many_styles.Step,
) -> Run:
    """Runs all steps, or the rest of a stopped run with these settings and inputs.

    Raises `SystemExit` after a signal, with everything that was learned on the disk.
    """
    batches = partial(RandomCrops, photos, settings.crop, settings.batch, settings.seed)
    folder = OUTPUTS / name / digest(settings, [*inputs, *photos.sources])
    folder.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), locked(folder), StopOnSignal() as stop:
        checkpoint, length, told = folder / MANY, length_of(settings), 0.0
        log.info("%s: batch %d, %s, in %s", name, settings.batch, length, folder)
        steps = 0
        fitted = many_styles.fit(
            learned, step, batches, length, settings.learning_rate, checkpoint, lambda: stop.signal is not None
        )
        for steps, seconds, loss in fitted:
            done = steps / length.steps if length.steps else seconds / length.seconds
            if done - told >= 1 / REPORTS:
                told = done
                log.info("step %d, %.0f seconds: loss %.3f", steps, seconds, float(loss))
    for line in photos.report():
        log.info(line)
    if stop.signal is not None:
        log.info("stopped after step %d; the same command resumes", steps)
        raise SystemExit(128 + stop.signal)
    if not steps:
        steps = many_styles.steps_done(checkpoint)
        log.info("all %d steps were done already", steps)
    return Run(folder, steps)


def photos_for(settings: Settings) -> Photos:
    return open_photos(replace(settings.data, size=max(settings.data.size, settings.crop)), 1)  # no crop is enlarged


def length_of(settings: Settings) -> many_styles.Length:
    """The length asked for, else the budget's."""
    asked = settings if settings.steps or settings.minutes else settings.budget
    return many_styles.Length(asked.steps, 60 * (asked.minutes or 1.0))


def begin(network: ConditionalNet, settings: Settings, name: str, names: list[str]) -> dict[str, str] | None:
    """Puts the weights of the network to start from in place. Returns its name and hash; none for random weights.

    It is a network of one style, by default a shipped one, or of many: paintings of equal names go on from their rows.
    """
    single = network.settings.single_style()
    known: list[str] = []
    base = None
    if settings.init not in (None, "auto"):
        with prefix_errors("init"):
            base = find_reference(settings.init)
            card = read_card(base.file)
            known = [] if base.style else card.style_names
            if known and not suits(replace(card.network, styles=network.settings.styles), network.settings):
                raise mismatch(base, card.network, network.settings)
    if not known:
        base = find_base(settings.init, name, single)
    if base is None:
        return None
    rows = [known.index(each) if each in known else None for each in names]
    many_styles.begin_at(network, load_style(base)[0], rows)
    log.info("starts from %s", fspath(base))
    return base_facts(base)


def digest(settings: Settings, inputs: list[str]) -> str:
    """The name of a run's folder: equal runs share one, so that the same command resumes.

    Where the paintings are does not count: `inputs` say what they are.
    """
    values = {name: value for name, value in asdict(settings).items() if name not in NOT_IN_DIGEST}
    values["style"].pop("image")
    values["network"].pop("architecture")  # is always conditional
    return hashlib.sha256(json.dumps([values, inputs], sort_keys=True, default=str).encode()).hexdigest()[:16]


def predictor_width(weights: VGGWeights) -> int:
    """The predictor's width; 0 where the loss network is no VGG19, with whose first layers its encoder begins."""
    shapes = {name: tuple(weights.convolutions[name][0].shape[1::-1]) for name in CONVOLUTIONS}
    if shapes == CONVOLUTIONS:
        return PREDICTOR
    log.warning("the loss network is not as wide as VGG19: this network will have no predictor")
    return 0
