"""The stages before a training: settings are validated, inputs read, the length decided, the module built.

Each stage returns values that no later one changes, and nothing is written before the last has passed.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from os import fspath
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.data import Photos, open_photos, unit_photos
from stylenet.data.datamodule import PhotoCrops, PhotosLike, as_photos
from stylenet.data.painting import find_painting, read_painting_at
from stylenet.disk import file_sha256
from stylenet.errors import UserError, prefix_errors
from stylenet.evaluation.appearance import SIDE as APPEARANCE_SIDE
from stylenet.evaluation.appearance import PaintingFigures
from stylenet.losses.criterion import criterion_for
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.losses.vgg import VGGFeatures, VGGWeights, load_vgg_weights
from stylenet.models.catalog import StyleReference
from stylenet.models.network import NetworkSettings
from stylenet.models.predictor import SIDE
from stylenet.training.base_network import base_facts, find_init, first_network
from stylenet.training.budget import steps_in
from stylenet.training.checks import Machine, check_unchanged, validate
from stylenet.training.module import StyleTransferModule
from stylenet.training.run_folder import style_name, with_recorded_files
from stylenet.training.settings import Settings

log = logging.getLogger(__name__)

BASE = "network to start from"


@dataclass(frozen=True)
class Sources:
    """The inputs of a run, read into memory."""

    painting: Float[Tensor, "1 3 h w"]
    small_painting: Float[Tensor, "1 3 h2 w2"]  # as predictors see it
    painting_figures: PaintingFigures
    painting_sha256: str
    photos: Photos
    weights: VGGWeights
    base: StyleReference | None

    def fingerprint(self) -> dict[str, Any]:
        """Hashes, and the names and sizes of the sets of photos: a resumed run must find the same."""
        found = {"painting": self.painting_sha256, "weights": self.weights.sha256, "photos": self.photos.sources}
        return {**found, BASE: base_facts(self.base)} if self.base else found


@dataclass(frozen=True)
class TrainingInputs:
    """All that a run needs, before anything has been written. `fingerprint` is of its sources."""

    settings: Settings
    name: str
    machine: Machine
    sources: Sources
    fingerprint: dict[str, Any]
    module: StyleTransferModule
    data: PhotoCrops

    @property
    def steps(self) -> int:
        return self.module.steps

    @property
    def criterion(self) -> PerceptualLoss:
        return self.module.required_criterion

    @property
    def resolved(self) -> dict[str, Any]:
        """The values that a resumed run must share with this one."""
        return {"steps": self.steps, "precision": self.machine.precision, "inputs": self.fingerprint}

    @property
    def init(self) -> dict[str, str] | None:
        """Name and hash of the style that the network started from; none for random weights."""
        return self.fingerprint.get(BASE)


def prepare(
    settings: Settings,
    resolved: Mapping[str, Any],
    from_checkpoint: bool = False,
    folder: Path | None = None,
    photos: PhotosLike | None = None,
) -> TrainingInputs:
    """Goes through the stages. Raises `UserError` for whatever is wrong, so that no half-made run is left behind.

    `resolved` are the values of the run to resume; what they lack is measured and decided here. With a checkpoint, the
    network to start from is not read; files are those recorded in its `folder`. `photos` take the place of those of the
    settings.
    """
    typed, settings = settings, with_recorded_files(settings, folder) if folder else settings
    machine = validate(settings, resolved.get("precision"))
    name = style_name(typed.style.image, typed.style.name, typed.style.suffix)
    before = resolved.get("inputs", {})
    without_base = from_checkpoint or (bool(resolved) and BASE not in before)
    sources = read_sources(settings, machine, name, None if without_base else settings.init, photos)
    fingerprint = sources.fingerprint()
    check_unchanged(before, fingerprint)
    criterion = build_criterion(settings, sources, machine)
    form = NetworkSettings(**asdict(settings.network))
    network = first_network(form, settings.seed, sources.base, sources.small_painting)
    data = PhotoCrops(sources.photos, settings.crop, settings.batch, settings.seed)
    module_of = partial(
        StyleTransferModule,
        network,
        criterion,
        learning_rate=settings.learning_rate,
        painting=sources.painting_figures,
        flat_areas=settings.flat_areas,
    )
    steps = resolved.get("steps") or decide_steps(settings, machine, module_of(), data)
    return TrainingInputs(typed, name, machine, sources, {**before, **fingerprint}, module_of(steps=steps), data)


def read_sources(
    settings: Settings, machine: Machine, name: str, init: str | None, photos: PhotosLike | None
) -> Sources:
    """The painting, the photos, the loss network's weights, and the style file to start from."""
    file = find_painting(settings.style.image)
    painting, small, large = read_painting_at(file, (settings.style.size, SIDE, APPEARANCE_SIDE))
    wanted = replace(settings.data, size=max(settings.data.size, settings.crop))  # else crops would be enlarged
    found = open_photos(wanted, machine.devices) if photos is None else as_photos(photos, settings.crop)
    weights = load_vgg_weights(settings.loss_network.weights, settings.loss_network.architecture)
    log.info("loss network: %s (sha256 %s…)", weights.name, weights.sha256[:12])
    base = find_init(init, name, NetworkSettings(**asdict(settings.network)))
    log.info("starts from %s", fspath(base) if base else "random weights")
    return Sources(painting, small, PaintingFigures(large), file_sha256(file), found, weights, base)


def build_criterion(settings: Settings, sources: Sources, machine: Machine) -> PerceptualLoss:
    """The criterion of the painting, its loss network in the precision of the run."""
    vgg = VGGFeatures(sources.weights)
    with prefix_errors("loss.content_layers, loss.style_layers, loss.full_size_layers"):
        vgg.check_layers(settings.loss.layers)
    criterion = criterion_for(vgg, sources.painting, settings.loss, unit_photos())
    vgg.cast(torch.bfloat16 if machine.bf16 else torch.float32)
    return criterion


def decide_steps(settings: Settings, machine: Machine, module: StyleTransferModule, data: PhotoCrops) -> int:
    """The number of steps: as asked for, else as many as fit into the minutes asked for, else the budget's."""
    asked = settings if settings.steps or settings.minutes else settings.budget
    if asked.steps:
        return asked.steps
    if not asked.minutes:
        raise UserError("a run needs a length: steps=… or minutes=…")
    batches = steps_in(asked.minutes, module, data, machine.device, machine.devices, machine.bf16)
    return max(1, batches // int(settings.trainer.get("accumulate_grad_batches") or 1))
