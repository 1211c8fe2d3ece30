"""The card of a trained network: what is known of its run."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from stylenet.device import device_name
from stylenet.models.network import parameter_count
from stylenet.models.style_file import Card, save_style
from stylenet.training.run_folder import settings_digest
from stylenet.training.setup import TrainingInputs
from stylenet.version import __version__

Facts = dict[str, Any]
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "datasets", "pillow")


def save(inputs: TrainingInputs, path: Path, steps: int, held_out: dict[str, float]) -> None:
    """Writes the style file; `steps` are those really done."""
    network = inputs.module.style_network()
    facts = metadata(inputs, steps, held_out)
    save_style(path, network, Card(inputs.name, network.settings, {**facts, "held_out": held_out}))


def metadata(inputs: TrainingInputs, steps: int | None = None, held_out: Mapping[str, float] | None = None) -> Facts:
    """All that a card says but the figures; without `steps`, what is known before a run starts.

    A style that was added has facts of its own, and its run's figures among them: the others are of earlier runs.
    """
    settings, card = inputs.settings, inputs.subject.card
    training, count = training_facts(inputs, steps), parameter_count(inputs.module.style_network())
    if card is not None:
        own = {**training, "held_out": dict(held_out or {})}
        added = [{**style, "training": own} for style in inputs.subject.facts["styles"]]
        return {**card.facts, "styles": [*card.facts["styles"], *added], "parameters": count}
    return {
        **training,
        **inputs.subject.facts,
        "photos": settings.data.credits or inputs.photos.sources,
        "parameters": count,
        "settings": settings_digest(asdict(settings)),
    }


def training_facts(inputs: TrainingInputs, steps: int | None) -> Facts:
    """Facts of the training: its loss, its loss network, its length and start."""
    settings, weights = inputs.settings, inputs.weights
    training = {name: getattr(settings, name) for name in ("batch", "crop", "learning_rate", "seed", "flat_areas")}
    training |= {"init": inputs.init, "steps": inputs.steps if steps is None else steps}
    architecture = settings.loss_network.architecture
    return {
        "loss": asdict(settings.loss),
        "loss_network": {"architecture": architecture, "name": weights.name, "sha256": weights.sha256},
        "training": {**training, "precision": inputs.machine.precision},
        "stylenet": __version__,
    }


def versions(device: torch.device) -> dict[str, str]:
    """Versions of what the run uses; they may differ between runs that are otherwise equal."""
    machine = {"device": device_name(device), "python": platform.python_version()}
    return machine | {name: found for name in PACKAGES if (found := installed_version(name))}


def installed_version(package: str) -> str | None:
    """The version of a package, where it is installed and known to be."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
