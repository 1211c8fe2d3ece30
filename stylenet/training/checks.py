"""Validation of a run's settings: errors are one line that names the setting, before anything is written."""

import inspect
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException

from stylenet.device import bf16_is_faster, pick_device
from stylenet.distributed import worker_context
from stylenet.errors import UserError, first_line, prefix_errors
from stylenet.losses.measures import SMALLEST_SIDE
from stylenet.losses.perceptual import check_terms
from stylenet.training.limits import check_values
from stylenet.training.loggers import check_loggers
from stylenet.training.objective import check_measured
from stylenet.training.settings import Settings
from stylenet.training.trainer_arguments import trainer_arguments

log = logging.getLogger(__name__)
SOME_STEPS = 1000  # in place of a run's length, which is decided later, and on which nothing here depends
STRATEGIES = ("auto", "ddp")
PRECISIONS = ("32-true", "32", "bf16-mixed", "16-mixed")
SWITCHES = ["deterministic", "benchmark", "detect_anomaly", "inference_mode", "sync_batchnorm"]
SWITCHES += ["enable_progress_bar", "enable_model_summary", "use_distributed_sampler"]
# A run has one length and an endless stream of batches; its folder, its loggers and its checkpoints are its own.
OURS = {"max_steps", "max_epochs", "max_time", "min_steps", "min_epochs", "log_every_n_steps"}
OURS |= {"fast_dev_run", "overfit_batches", "limit_train_batches", "barebones", "enable_checkpointing"}
OURS |= {"logger", "callbacks", "plugins", "default_root_dir", "num_nodes"}


@dataclass(frozen=True)
class Machine:
    """The hardware of a run: the device of this process, how many devices there are, and Lightning's precision."""

    device: torch.device
    devices: int
    precision: str

    @property
    def bf16(self) -> bool:
        return "bf16" in self.precision


def validate(settings: Settings, precision: str | None = None) -> Machine:
    """Raises `UserError` for values that no part would refuse by itself.

    `precision` is that of the run to resume; without one the fastest that serves.
    """
    check_values(settings)
    if settings.styles or settings.add_to:
        check_many(settings)
    check_terms(settings.loss.weights)
    check_scales(settings)
    machine = find_machine(settings.trainer, precision)
    if settings.batch % machine.devices:
        shared = f"batch is split over {machine.devices} devices and must be a multiple of that number"
        raise UserError(f"{shared}, got {settings.batch}")
    if not worker_context():
        check_loggers(settings.logger)
    return machine


def check_scales(settings: Settings) -> None:
    """Raises `UserError` where style is compared at no scale that leaves enough of a crop or of the painting.

    Some such scales are only named: a preset may have more of them than a small crop can use.
    """
    side = min(settings.crop, settings.style.size)
    sizes = f"crop={settings.crop} and style.size={settings.style.size}"
    unused = [scale for scale in settings.loss.style_scales if side // scale < SMALLEST_SIDE]
    if len(unused) == len(settings.loss.style_scales):
        most = f"the smallest must be at most {side // SMALLEST_SIDE} with {sizes}"
        raise UserError(f"loss.style_scales: {most}, got {min(unused)}")
    if unused and not worker_context():
        log.warning("loss.style_scales: %s not used with %s", ", ".join(map(str, unused)), sizes)


def check_many(settings: Settings) -> None:
    """Raises `UserError` for what runs on one painting alone can do: in others, no step has a gradient of all weights.

    So processes could not share a step.
    """
    if settings.patience is not None:
        check_measured(settings.objective)
    checked = {
        "network.architecture": (settings.network.architecture, ("transformer", "conditional")),
        "trainer.strategy": (settings.trainer.get("strategy"), (None, "auto")),
        "trainer.devices": (number_of_devices(settings.trainer.get("devices")), (None, 1, "1")),
    }
    for name, (value, allowed) in checked.items():
        if value not in allowed:
            choices = " or ".join(dict.fromkeys(str(each) for each in allowed if each is not None))
            raise UserError(f"{name}={value} is for runs on one painting; with styles= and add_to= it is {choices}")


def number_of_devices(devices: Any) -> Any:
    """The number, where single devices are named, as in `[1]`."""
    return len(devices) if isinstance(devices, Sequence) and not isinstance(devices, str) else devices


def find_machine(trainer: Mapping[str, Any], precision: str | None = None) -> Machine:
    """Raises `UserError` for what Lightning's Trainer would refuse, or stylenet sets itself."""
    known = set(inspect.signature(pl.Trainer.__init__).parameters) - OURS - {"self"}
    if unknown := sorted(set(trainer) - known):
        raise UserError(f"trainer.{unknown[0]} is not a setting here; available: {', '.join(sorted(known))}")
    if trainer.get("precision") is not None and str(trainer["precision"]) not in PRECISIONS:
        raise UserError(f"trainer.precision must be one of {', '.join(PRECISIONS)}, got {trainer['precision']}")
    if trainer.get("strategy", "auto") not in STRATEGIES:
        raise UserError(f"trainer.strategy must be one of {', '.join(STRATEGIES)}, got {trainer['strategy']}")
    check_values_of(trainer)
    name = str(trainer.get("accelerator", "auto"))
    with prefix_errors("trainer.accelerator"):
        pick_device("cuda" if name == "gpu" else name)
    device, devices = lightnings_choice(trainer)
    if device.type == "cpu" and trainer.get("precision") == "16-mixed":  # which Lightning turns into bf16-mixed
        raise UserError("trainer.precision=16-mixed needs a GPU; on a CPU it is 32-true or bf16-mixed")
    if devices > 1 and trainer.get("strategy") != "ddp":
        raise UserError(f"trainer.devices={trainer.get('devices', devices)} needs trainer=ddp")
    return Machine(device, devices, str(trainer.get("precision") or precision or suitable_precision(device)))


def check_values_of(trainer: Mapping[str, Any]) -> None:
    """Raises `UserError` for values that Lightning's Trainer takes and fails on later, or takes for something else."""
    accumulated, every = trainer.get("accumulate_grad_batches", 1), trainer.get("val_check_interval", 1)
    if not (isinstance(accumulated, int) and accumulated >= 1):
        raise UserError(f"trainer.accumulate_grad_batches must be at least 1, got {accumulated}")
    if isinstance(every, (int, float)) and not every > 0:
        raise UserError(f"trainer.val_check_interval must be more than 0, got {every}")
    clip = trainer.get("gradient_clip_val")
    if clip is not None and not (isinstance(clip, (int, float)) and 0 <= clip < math.inf):
        raise UserError(f"trainer.gradient_clip_val must be 0 or more, and finite, got {clip}")
    for name in SWITCHES:
        allowed = (True, False, None, *(["warn"] if name == "deterministic" else []))
        if (value := trainer.get(name)) not in allowed:
            raise UserError(f"trainer.{name} must be one of {', '.join(map(str, allowed)).lower()}, got {value}")


def lightnings_choice(trainer: Mapping[str, Any]) -> tuple[torch.device, int]:
    """The device that Lightning trains on in this process, such as `cuda:1` for `devices=[1]`, and their number.

    Raises `UserError` for settings that it refuses.
    """
    try:
        made = pl.Trainer(logger=False, enable_checkpointing=False, **trainer_arguments(trainer, SOME_STEPS))
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise UserError(f"trainer: {first_line(error)}") from error
    return made.strategy.root_device, int(made.num_devices)


def suitable_precision(device: torch.device) -> str:
    """Lightning's name for the fastest precision that serves."""
    return "bf16-mixed" if bf16_is_faster(device.type) else "32-true"


def check_unchanged(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises `UserError` when a run would be resumed with another painting, other weights or other photos."""
    for name, value in before.items():
        if without_place(now.get(name, value)) != without_place(value):
            raise UserError(f"resume: the {name} changed since the run began ({value} then, {now[name]} now)")


def without_place(value: Any) -> Any:
    """An input as it is compared: of photos in a folder or file, which may be renamed, only how many there are."""
    if isinstance(value, list):
        return [re.sub(r"^.*: (\d+ files)$", r"\1", str(each)) for each in value]
    return value
