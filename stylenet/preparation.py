"""What a run is made of, read and checked before anything is written."""

import inspect
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor

from stylenet.device import bf16_pays, pick_device
from stylenet.errors import UserError
from stylenet.losses import LossSettings, PerceptualLoss
from stylenet.network import MINIMUM_SIDE, NetworkSettings, TransformerNet, initialise
from stylenet.painting import find_painting, read_painting
from stylenet.photos import Photos, RandomCrops, held_out_photos, open_photos
from stylenet.run_folder import style_name
from stylenet.settings import Settings
from stylenet.training import StyleTraining, steps_in
from stylenet.vgg import VGGFeatures, VGGWeights, load_vgg_weights
from stylenet.vgg.download import file_sha256

log = logging.getLogger(__name__)

HELD_OUT_SIZE = 256  # pixels, square
PRECISIONS = ("32-true", "32", "bf16-mixed", "16-mixed")
# A run has one length and an endless stream of batches; its folder, its loggers and its checkpoints are its own.
OURS = {"max_steps", "max_epochs", "max_time", "min_steps", "min_epochs", "log_every_n_steps"}
OURS |= {"fast_dev_run", "overfit_batches", "limit_train_batches", "barebones", "enable_checkpointing"}
OURS |= {"logger", "callbacks", "default_root_dir", "num_nodes", "strategy"}


@dataclass(frozen=True)
class Parts:
    """What a run is made of, before anything has been written."""

    settings: Settings
    name: str
    painting: Float[Tensor, "1 3 h w"]
    painting_sha256: str
    photos: Photos
    held_out: UInt8[Tensor, "n 3 s s"]
    weights: VGGWeights
    module: StyleTraining
    precision: str

    @property
    def steps(self) -> int:
        return self.module.steps

    @property
    def decisions(self) -> dict[str, Any]:
        """What a resumed run must find or do as this one did."""
        return {
            "steps": self.steps,
            "precision": self.precision,
            "inputs": inputs(self.painting_sha256, self.weights, self.photos),
        }


def inputs(painting_sha256: str, weights: VGGWeights, photos: Photos) -> dict[str, Any]:
    """What a run learns from: two hashes, and the names and sizes of the sets of photos."""
    return {"painting": painting_sha256, "weights": weights.sha256, "photos": photos.sources}


def prepare(settings: Settings, decisions: Mapping[str, Any]) -> Parts:
    """Reads everything that can be wrong, so that a mistake leaves no half-made run behind.

    `decisions` are those of the run to go on with; what they lack is measured and decided here.
    """
    check(settings)
    file = find_painting(settings.style.image)
    painting = read_painting(file, settings.style.size)
    sources = asdict(settings.data)
    del sources["credits"]
    sources["size"] = max(settings.data.size, settings.crop)  # else crops would be enlarged
    photos = open_photos(**sources)
    device = pick_device(device_name(settings.trainer))
    precision = str(settings.trainer.get("precision") or decisions.get("precision") or suitable_precision(device))
    weights = load_vgg_weights(settings.loss_network.weights, settings.loss_network.architecture)
    log.info("loss network: %s (sha256 %s…)", weights.name, weights.sha256[:12])
    painting_sha256 = file_sha256(file)
    check_unchanged(decisions.get("inputs", {}), inputs(painting_sha256, weights, photos))
    bf16 = "bf16" in precision
    module = make_module(settings, painting, photos, weights, bf16)
    module.steps = decisions.get("steps") or length(settings, module, device, bf16)
    name = settings.style.name or style_name(settings.style.image)
    return Parts(
        settings,
        name,
        painting,
        painting_sha256,
        photos,
        held_out_photos(HELD_OUT_SIZE)[0],
        weights,
        module,
        precision,
    )


def check_unchanged(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises `UserError` when a run would go on with another painting, other weights or other photos."""
    for name, value in before.items():
        if now[name] != value:
            raise UserError(f"resume: the {name} changed since the run began ({value} then, {now[name]} now)")


def suitable_precision(device: torch.device) -> str:
    """Lightning's name for the fastest precision that serves."""
    return "bf16-mixed" if bf16_pays(device.type) else "32-true"


def length(settings: Settings, module: StyleTraining, device: torch.device, bf16: bool) -> int:
    """The number of steps: as asked for, else as many as fit into the minutes asked for, else the budget's."""
    asked = settings if settings.steps or settings.minutes else settings.budget
    if asked.steps is None and asked.minutes is None:
        raise UserError("a run needs a length: steps=… or minutes=…")
    minutes = (asked.minutes or 0) / settings.trainer.get("accumulate_grad_batches", 1)
    return asked.steps or steps_in(minutes, module, device, bf16)


def check(settings: Settings) -> None:
    """Raises `UserError` for values that no part would refuse by itself."""
    at_least = {"batch": 1, "crop": MINIMUM_SIDE, "steps": 1, "seed": 0}
    for name, least in at_least.items():
        if (value := getattr(settings, name)) is not None and value < least:
            raise UserError(f"{name} must be at least {least}, got {value}")
    for name in ("learning_rate", "minutes"):
        if (value := getattr(settings, name)) is not None and not 0 < value < math.inf:
            raise UserError(f"{name} must be more than 0, got {value}")
    if settings.steps is not None and settings.minutes is not None:
        raise UserError(f"a run's length is steps or minutes, got both: {settings.steps} and {settings.minutes}")
    if settings.style.name is not None and settings.style.name != style_name(settings.style.name + ".x"):
        raise UserError(f"style.name becomes a file's name: letters, digits, - _ and . only, got {settings.style.name}")
    check_trainer(settings.trainer)


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Raises `UserError` for what Lightning's Trainer would refuse, and for what stylenet sets itself."""
    known = set(inspect.signature(pl.Trainer.__init__).parameters) - OURS - {"self"}
    if unknown := sorted(set(trainer) - known):
        raise UserError(f"trainer.{unknown[0]} is not a setting here; there are: {', '.join(sorted(known))}")
    if trainer.get("precision") is not None and str(trainer["precision"]) not in PRECISIONS:
        raise UserError(f"trainer.precision must be one of {', '.join(PRECISIONS)}, got {trainer['precision']}")
    if trainer.get("devices", 1) not in (1, "1"):
        raise UserError(f"trainer.devices must be 1: several are not supported yet, got {trainer['devices']}")
    accumulated = trainer.get("accumulate_grad_batches", 1)
    if not (isinstance(accumulated, int) and accumulated >= 1):
        raise UserError(f"trainer.accumulate_grad_batches must be at least 1, got {accumulated}")
    with named("trainer.accelerator"):
        pick_device(device_name(trainer))
    try:
        pl.Trainer(logger=False, enable_checkpointing=False, **trainer)
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise UserError(f"trainer: {str(error).splitlines()[0]}") from error


@contextmanager
def named(setting: str) -> Iterator[None]:
    """Puts the setting's name before what is wrong with its value."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{setting}: {error}") from error


def device_name(trainer: Mapping[str, Any]) -> str:
    """Lightning's name for an accelerator, as PyTorch's for a device."""
    name = str(trainer.get("accelerator", "auto"))
    return "cuda" if name == "gpu" else name


def make_module(
    settings: Settings, painting: Float[Tensor, "1 3 h w"], photos: Photos, weights: VGGWeights, bf16: bool
) -> StyleTraining:
    """The network and what it is to learn."""
    vgg = VGGFeatures(weights)
    loss = LossSettings(**asdict(settings.loss))
    with named("loss.content_layers, loss.style_layers"):
        vgg.check_layers({*loss.content_layers, *loss.style_layers})
    criterion = PerceptualLoss(vgg, painting, loss)
    vgg.cast(torch.bfloat16 if bf16 else torch.float32)
    network = initialise(TransformerNet(NetworkSettings(**asdict(settings.network))), settings.seed)
    crops = partial(RandomCrops, photos, settings.crop, settings.batch, settings.seed)
    return StyleTraining(network, criterion, crops, steps=1, learning_rate=settings.learning_rate)
