"""The stages before a training: settings are validated, inputs read, the length decided, the module built.

Each stage returns values that no later one changes, and nothing but cached targets is written before the last has
passed.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import fspath
from pathlib import Path
from typing import Any

from stylenet.data import Photos
from stylenet.data.datamodule import PhotoCrops, PhotosLike, as_photos
from stylenet.errors import UserError, prefix_errors
from stylenet.losses.vgg import VGGFeatures, VGGWeights, load_vgg_weights
from stylenet.training.base_network import base_facts
from stylenet.training.budget import steps_in
from stylenet.training.checks import Machine, check_unchanged, validate
from stylenet.training.further_painting import further_painting
from stylenet.training.many_paintings import many_paintings
from stylenet.training.module import StyleTransferModule
from stylenet.training.one_painting import one_painting
from stylenet.training.recorded_files import with_recorded_files
from stylenet.training.settings import Settings
from stylenet.training.subject import Subject

log = logging.getLogger(__name__)

BASE = "network to start from"


@dataclass(frozen=True)
class TrainingInputs:
    """All that a run needs, before anything has been written.

    `fingerprint` holds hashes, and the names and sizes of the sets of photos: a resumed run must find the same.
    """

    settings: Settings
    machine: Machine
    subject: Subject
    photos: Photos
    weights: VGGWeights
    fingerprint: dict[str, Any]
    module: StyleTransferModule
    data: PhotoCrops

    @property
    def name(self) -> str:
        return self.subject.name

    @property
    def steps(self) -> int:
        return self.module.steps

    def style_file(self, folder: Path) -> Path:
        """The run's style file, in its folder."""
        return folder / self.subject.place.name

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
    before = resolved.get("inputs", {})
    without_base = from_checkpoint or (bool(resolved) and BASE not in before)
    wanted = replace(settings, init=None) if without_base else settings
    subject = read_subject(wanted, typed.style.image)
    if not (from_checkpoint or settings.add_to):
        log.info("starts from %s", fspath(subject.base) if subject.base else "random weights")
    found = read_photos(settings, machine, photos)
    weights = load_vgg_weights(settings.loss_network.weights, settings.loss_network.architecture)
    log.info("loss network: %s (sha256 %s…)", weights.name, weights.sha256[:12])
    fingerprint = {**subject.inputs, "weights": weights.sha256, "photos": found.sources}
    fingerprint |= {BASE: base_facts(subject.base)} if subject.base else {}
    check_unchanged(before, fingerprint)
    with prefix_errors("loss.content_layers, loss.style_layers, loss.full_size_layers"):
        VGGFeatures(weights).check_layers(settings.loss.layers)
    module = subject.build(settings, machine, weights)
    data = PhotoCrops(found, settings.crop, settings.batch, settings.seed)
    module.set_steps(resolved.get("steps") or decide_steps(settings, machine, module, data))
    return TrainingInputs(typed, machine, subject, found, weights, {**before, **fingerprint}, module, data)


def read_subject(settings: Settings, typed: str) -> Subject:
    """What the settings say is to be learned; `typed` is the painting's file as it was typed."""
    if settings.styles:
        return many_paintings(settings)
    return further_painting(settings, typed) if settings.add_to else one_painting(settings, typed)


def read_photos(settings: Settings, machine: Machine, photos: PhotosLike | None) -> Photos:
    return as_photos(settings.data if photos is None else photos, settings.crop, machine.devices)


def decide_steps(settings: Settings, machine: Machine, module: StyleTransferModule, data: PhotoCrops) -> int:
    """The number of steps: as asked for, else as many as fit into the minutes asked for, else the budget's."""
    asked = settings if settings.steps or settings.minutes else settings.budget
    if asked.steps:
        return asked.steps
    if not asked.minutes:
        raise UserError("a run needs a length: steps=… or minutes=…")
    batches = steps_in(asked.minutes, module, data, machine.device, machine.devices, machine.bf16)
    return max(1, batches // int(settings.trainer.get("accumulate_grad_batches") or 1))
