"""Targets: what the loss keeps of each of many paintings, in memory and on the disk.

A painting's Gram matrices, its positions for the sliced distance and its units take some seconds to compute and some
15 MB to keep. All paintings share one criterion, which is given the targets of one after another.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from stylenet import losses
from stylenet.data import unit_photos
from stylenet.data.paintings import Painting
from stylenet.disk import atomic_write, file_sha256
from stylenet.losses.criterion import measure_units, photo_context
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.losses.settings import LossSettings
from stylenet.losses.sliced import some_of
from stylenet.losses.terms import StepContext
from stylenet.losses.vgg import VGGFeatures, VGGWeights
from stylenet.media import lab
from stylenet.training.run_folder import OUTPUTS

log = logging.getLogger(__name__)

KEPT = 4096  # positions of a painting at each layer, in fp16: a step draws 2048 of them
UNIT_PHOTOS = 2  # by which the units are measured, where a single painting's run has 8
REPORTED = 10  # paintings between two lines

Targets = dict[str, Tensor]  # the criterion's buffers that depend on the painting, by name


class Criteria:
    """The criteria of many paintings: one, which is given the targets of the painting asked for."""

    def __init__(self, criterion: PerceptualLoss, targets: Sequence[Targets]) -> None:
        self.criterion, self.targets = criterion, targets

    def __len__(self) -> int:
        return len(self.targets)

    def of(self, index: int) -> PerceptualLoss:
        """The criterion, with the targets of a painting until the next call."""
        load_targets(self.criterion, self.targets[index])
        return self.criterion

    @property
    def megabytes(self) -> float:
        """Memory of all targets."""
        return sum(value.nbytes for each in self.targets for value in each.values()) / 1e6


def criteria_for(
    weights: VGGWeights,
    paintings: Sequence[Painting],
    loss: LossSettings,
    device: torch.device,
    bf16: bool,
    kept: Path = OUTPUTS / "targets",
) -> Criteria:
    """The criteria of the paintings. Their targets are kept in the folder `kept`, and read from it the next time."""
    vgg = VGGFeatures(weights).to(device)
    vgg.cast(torch.float32)
    maker = TargetMaker(vgg, loss, device)
    code = digest(loss, weights)
    kept.mkdir(parents=True, exist_ok=True)
    targets = []
    for number, painting in enumerate(paintings, 1):
        known = f"{code} {pixels_sha256(painting.pixels)}"
        file = kept / f"{hashlib.sha256(known.encode()).hexdigest()[:24]}.safetensors"
        found = read(file)
        if found is None:
            found = maker.targets(painting)
            with atomic_write(file) as temporary:
                temporary.write_bytes(save(found))
            if number % REPORTED == 0:
                log.info("targets of %d of %d paintings", number, len(paintings))
        targets.append({name: value.to(device) for name, value in found.items()})
    vgg.cast(torch.bfloat16 if bf16 else torch.float32)
    return Criteria(maker.criterion(paintings[0]), targets)


class TargetMaker:
    """Computes the targets of paintings. The photos that measure units pass the loss network once for all of them."""

    def __init__(self, vgg: VGGFeatures, loss: LossSettings, device: torch.device) -> None:
        self.vgg, self.loss, self.device = vgg, loss, device
        self.steps: list[StepContext] = []

    def criterion(self, painting: Painting) -> PerceptualLoss:
        """The painting's criterion, without units."""
        return PerceptualLoss(self.vgg, painting.pixels.to(self.device), self.loss)

    @torch.no_grad()
    def targets(self, painting: Painting) -> Targets:
        criterion = self.criterion(painting)
        if not self.steps:
            photos = unit_photos()[:: 8 // UNIT_PHOTOS].to(self.device)
            self.steps = [photo_context(criterion, photo[None]) for photo in photos]
        measure_units(criterion, (replace(step, criterion=criterion) for step in self.steps))
        buffers = ((name, value) for name, value in criterion.named_buffers() if not name.startswith("vgg."))
        return {name: compact(name, value) for name, value in buffers}


def compact(name: str, value: Tensor) -> Tensor:
    """A buffer as it is kept: of many positions (n, c) a part, in fp16."""
    value = value.cpu().contiguous()
    if not name.startswith("painting_") or value.ndim != 2:
        return value
    return value[some_of(len(value), KEPT, torch.Generator().manual_seed(0))].half()


def load_targets(criterion: PerceptualLoss, targets: Targets) -> None:
    """Puts a painting's targets into the criterion. Those of another had the same names: all have one short side."""
    for name, value in targets.items():
        criterion.register_buffer(name, value.float(), persistent=False)


def read(file: Path) -> Targets | None:
    """Targets from the disk, if they are there and whole."""
    try:
        return load_file(file)
    except (OSError, SafetensorError):
        return None


def pixels_sha256(pixels: Float[Tensor, "b 3 h w"]) -> str:
    """A hash of pixels as they are learned from: those of one file change with the code that decodes it."""
    return hashlib.sha256(f"{tuple(pixels.shape)} ".encode() + pixels.contiguous().numpy().tobytes()).hexdigest()


def digest(loss: LossSettings, weights: VGGWeights) -> str:
    """A hash of all that targets depend on but the painting: of the photos of the units, the code of the loss, the
    loss network and Lab.

    The weights of the terms do not count.
    """
    values = {name: value for name, value in asdict(loss).items() if "weight" not in name or "layer" in name}
    terms = sorted(name for name, weight in loss.weights.items() if weight > 0)
    code = [file_sha256(path) for path in (*sorted(Path(losses.__file__).parent.rglob("*.py")), Path(lab.__file__))]
    photos = pixels_sha256(unit_photos())
    text = json.dumps([values, terms, weights.sha256, KEPT, UNIT_PHOTOS, photos, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
