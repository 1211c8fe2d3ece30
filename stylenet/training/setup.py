"""What a run is made of, read and checked before anything is written."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from stylenet.data import Photos, RandomCrops, held_out_photos, open_photos, unit_photos
from stylenet.data.painting import find_painting, read_painting
from stylenet.device import bf16_pays
from stylenet.disk import file_sha256, shown
from stylenet.errors import UserError
from stylenet.losses.criterion import criterion_for
from stylenet.losses.vgg import VGGFeatures, VGGWeights, load_vgg_weights
from stylenet.models.catalog import SHIPPED, find_style
from stylenet.models.network import NetworkSettings, StyleNetwork, initialize
from stylenet.models.registry import build_network
from stylenet.models.style_file import SUFFIX, load_style, read_card
from stylenet.training.checks import check, check_unchanged, device_count, named, trainer_device
from stylenet.training.module import StyleTraining, steps_in
from stylenet.training.run_folder import style_name, with_recorded_files
from stylenet.training.settings import Settings

log = logging.getLogger(__name__)

HELD_OUT_SIZE = 256  # pixels, square
BASE = "network to start from"
BASES = ("starry", "scream")  # trained networks that `init=auto` starts from: the first that is another style


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
    inputs: dict[str, Any]

    @property
    def steps(self) -> int:
        return self.module.steps

    @property
    def decisions(self) -> dict[str, Any]:
        """What a resumed run must find or do as this one did."""
        return {"steps": self.steps, "precision": self.precision, "inputs": self.inputs}

    @property
    def init(self) -> dict[str, str] | None:
        """Name and hash of the style that the network started from; none for random weights."""
        return self.inputs.get(BASE)


def inputs(painting_sha256: str, weights: VGGWeights, photos: Photos, base: Path | None) -> dict[str, Any]:
    """What a run learns from: hashes, and the names and sizes of the sets of photos."""
    found = {"painting": painting_sha256, "weights": weights.sha256, "photos": photos.sources}
    return {**found, BASE: {"style": base.stem, "sha256": file_sha256(base)}} if base else found


def prepare(
    settings: Settings, decisions: Mapping[str, Any], from_checkpoint: bool = False, folder: Path | None = None
) -> Parts:
    """Reads everything that can be wrong, so that a mistake leaves no half-made run behind.

    `decisions` are those of the run to go on with; what they lack is measured and decided here. With a checkpoint,
    the network to start from is not asked for.
    """
    check(settings)
    typed, settings = settings, with_recorded_files(settings, folder) if folder else settings
    file = find_painting(settings.style.image)
    painting = read_painting(file, settings.style.size)
    sources = asdict(settings.data)
    del sources["credits"]
    sources["size"] = max(settings.data.size, settings.crop)  # else crops would be enlarged
    photos = open_photos(**sources)
    device = trainer_device(settings.trainer)
    precision = str(settings.trainer.get("precision") or decisions.get("precision") or suitable_precision(device))
    weights = load_vgg_weights(settings.loss_network.weights, settings.loss_network.architecture)
    log.info("loss network: %s (sha256 %s…)", weights.name, weights.sha256[:12])
    painting_sha256 = file_sha256(file)
    name = style_name(typed.style.image, typed.style.name, typed.style.suffix)
    form = NetworkSettings(**asdict(settings.network))
    before = decisions.get("inputs", {})
    began_with_none = from_checkpoint or (bool(decisions) and BASE not in before)
    base = None if began_with_none else find_base(settings.init, name, form)
    if base:
        log.info("starts from %s", base)
    now = inputs(painting_sha256, weights, photos, base)
    check_unchanged(before, now)
    bf16 = "bf16" in precision
    network = first_network(form, settings.seed, base)
    module = make_module(settings, network, painting, photos, weights, bf16)
    module.steps = decisions.get("steps") or length(settings, module, device, bf16)
    return Parts(
        typed,
        name,
        painting,
        painting_sha256,
        photos,
        held_out_photos(HELD_OUT_SIZE)[0],
        weights,
        module,
        precision,
        {**before, **now},
    )


def suitable_precision(device: torch.device) -> str:
    """Lightning's name for the fastest precision that serves."""
    return "bf16-mixed" if bf16_pays(device.type) else "32-true"


def length(settings: Settings, module: StyleTraining, device: torch.device, bf16: bool) -> int:
    """The number of steps: as asked for, else as many as fit into the minutes asked for, else the budget's."""
    asked = settings if settings.steps or settings.minutes else settings.budget
    if asked.steps is None and asked.minutes is None:
        raise UserError("a run needs a length: steps=… or minutes=…")
    minutes = (asked.minutes or 0) / settings.trainer.get("accumulate_grad_batches", 1)
    return asked.steps or steps_in(minutes, module, device, device_count(settings.trainer), bf16)


def find_base(init: str | None, name: str, form: NetworkSettings) -> Path | None:
    """The style file to start from: the one asked for, or for `auto` a trained network of this form and another style.

    None for random weights. Raises `UserError` when what was asked for is not there or has another form.
    """
    if init == "auto":
        others = (path for base in BASES for path in sorted(SHIPPED.glob(f"{base}*{SUFFIX}")) if path.stem != name)
        return next((path for path in others if read_card(path).network == form), None)
    if init is None:
        return None
    with named("init"):
        path = find_style(init)
        if (found := read_card(path).network) != form:
            raise UserError(f"{shown(path.stem)} has another form ({found}) than this run's network ({form})")
    return path


def first_network(form: NetworkSettings, seed: int, base: Path | None) -> StyleNetwork:
    """With random weights of the seed, or with those of a trained style."""
    return load_style(base)[0].train() if base else initialize(build_network(form), seed)


def make_module(
    settings: Settings,
    network: StyleNetwork,
    painting: Float[Tensor, "1 3 h w"],
    photos: Photos,
    weights: VGGWeights,
    bf16: bool,
) -> StyleTraining:
    """The network and what it is to learn."""
    vgg = VGGFeatures(weights)
    loss = settings.loss
    with named("loss.content_layers, loss.style_layers"):
        vgg.check_layers({*loss.content_layers, *loss.style_layers})
    criterion = criterion_for(vgg, painting, loss, unit_photos())
    vgg.cast(torch.bfloat16 if bf16 else torch.float32)
    crops = partial(RandomCrops, photos, settings.crop, settings.batch, settings.seed)
    return StyleTraining(network, criterion, crops, steps=1, learning_rate=settings.learning_rate)
