"""The card of a trained network: what is known of its run."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stylenet.data.paintings import KNOWN
from stylenet.device import device_name
from stylenet.losses.vgg import VGGWeights
from stylenet.models.network import parameter_count
from stylenet.models.style_file import Card, save_style
from stylenet.training.checks import Machine
from stylenet.training.run_folder import settings_digest
from stylenet.training.settings import Settings
from stylenet.training.setup import TrainingInputs
from stylenet.version import __version__

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "datasets", "pillow")


def save(inputs: TrainingInputs, path: Path, steps: int, held_out: dict[str, float]) -> None:
    """Writes the style file; `steps` are those really done."""
    network, known = inputs.module.network, metadata(inputs)
    known["training"]["steps"] = steps
    save_style(path, network, Card(inputs.name, network.settings, {**known, "held_out": held_out}))


def metadata(inputs: TrainingInputs) -> dict[str, Any]:
    """Facts of a run that are known before it starts, and the same for an equal run."""
    settings = inputs.settings
    style = {name: getattr(settings.style, name) for name in (*KNOWN, "size")}
    painting = {**style, "sha256": inputs.sources.painting_sha256}
    training = training_facts(settings, inputs.sources.weights, inputs.init, inputs.steps)
    photos = inputs.sources.photos.sources
    return run_facts({"painting": painting}, training, settings, inputs.machine, photos, inputs.module.network)


def run_facts(
    paintings: dict[str, Any],
    training: dict[str, Any],
    settings: Settings,
    machine: Machine,
    photos: Sequence[str],
    network: nn.Module,
) -> dict[str, Any]:
    """All that a card says of a run: its paintings, those `training_facts`, its photos and its network."""
    return {
        **training,
        "training": {**training["training"], "precision": machine.precision},
        **paintings,
        "photos": settings.data.credits or photos,
        "parameters": parameter_count(network),
        "settings": settings_digest(asdict(settings)),
    }


def training_facts(settings: Settings, weights: VGGWeights, init: dict[str, str] | None, steps: int) -> dict[str, Any]:
    """Facts of the training of one painting or of many: its loss, its loss network, its length and start."""
    training = {name: getattr(settings, name) for name in ("batch", "crop", "learning_rate", "seed", "flat_areas")}
    architecture = settings.loss_network.architecture
    return {
        "loss": asdict(settings.loss),
        "loss_network": {"architecture": architecture, "name": weights.name, "sha256": weights.sha256},
        "training": {**training, "init": init, "steps": steps},
        "stylenet": __version__,
    }


def versions(device: torch.device) -> dict[str, str]:
    """Versions of what the run uses; they may differ between runs that are otherwise equal."""
    machine = {"device": device_name(device), "python": platform.python_version()}
    return machine | {name: found for name in PACKAGES if (found := installed(name))}


def installed(package: str) -> str | None:
    """The version of a package, where it is installed and known to be."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
