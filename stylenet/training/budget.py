"""Number of steps that fit into some minutes: whole steps are timed on a copy of the network, and the work between."""

import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from statistics import median

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from stylenet.data.datamodule import PhotoCrops
from stylenet.device import sent
from stylenet.evaluation.held_out import photo_by_photo, stylized_by
from stylenet.losses.terms import CYCLE
from stylenet.training.module import StyleTransferModule, make_optimizer
from stylenet.training.step import as_floats, total_of

TIMED_ROUNDS, UNTIMED_ROUNDS = 4, 2  # of `CYCLE` batches each
SHORT = 4.0  # minutes: a shorter run is timed by one round, else that would take as long as the run
GRADIENT_CLIP = 10.0  # norm; reached in the first steps only
SHEETS, SHEET_PHOTOS = 20, 4  # contact sheets over a run, photos on each
STEPS_PER_SHEET = 10  # at least, of a short run
VALIDATIONS = 4  # over a run, and one behind it
VALIDATE_EVERY = 50  # steps, at least
CHECKPOINTS = 20  # over a run
CHECKPOINT_SECONDS = 0.1  # to pack, write and sync one


def steps_in(
    minutes: float, module: StyleTransferModule, data: PhotoCrops, device: torch.device, devices: int, bf16: bool
) -> int:
    """Number of batches that fit into so many minutes of training. The module is left as it was, on the device.

    Of several devices one is timed, with its share of a batch. Contact sheets, validations and checkpoints are
    subtracted.
    """
    module.to(device)
    trial = StyleTransferModule(
        deepcopy(module.network), module.criterion, painting=module.painting, flat_areas=module.flat_areas
    ).to(device)
    seconds = seconds_per_batch(trial, data, device, devices, bf16, rounds(minutes))
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        between = seconds_between_steps(trial, data.held_out.to(device), int(60 * minutes / seconds))
    return max(1, int(max(60 * minutes - between, 30 * minutes) / seconds))


def rounds(minutes: float) -> tuple[int, int]:
    """Rounds that are not timed and rounds that are, before a run of so many minutes."""
    return (UNTIMED_ROUNDS, TIMED_ROUNDS) if minutes >= SHORT else (0, 1)


def sheet_interval(steps: int) -> int:
    """Steps from one contact sheet to the next."""
    return max(1, steps // max(1, min(SHEETS, steps // STEPS_PER_SHEET)))


def validation_interval(steps: int) -> int:
    """Steps from one validation to the next: some over the run, none at its end, where the network is judged anyway."""
    return max(VALIDATE_EVERY, steps // (VALIDATIONS + 1) + 1)


def seconds_per_batch(
    trial: StyleTransferModule,
    data: PhotoCrops,
    device: torch.device,
    devices: int,
    bf16: bool,
    rounds: tuple[int, int] = (UNTIMED_ROUNDS, TIMED_ROUNDS),
) -> float:
    """The median over some rounds in which every loss term has its turn, with loader and optimizer.

    `rounds` are the numbers of those that are not timed and of those that are.
    """
    batches = iter(data.crops())
    optimizer = make_optimizer(trial.network, 0.0)

    def batch(number: int) -> None:
        photos = next(batches)
        photos = sent(photos[: len(photos) // devices], device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            total = total_of(trial.weighted_losses(photos, number))
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(trial.network.parameters(), GRADIENT_CLIP)
        optimizer.step()

    def cycle() -> None:
        for number in range(CYCLE):
            batch(number)

    batch(0)  # the first takes longer
    times = [timed(cycle, device) for _ in range(sum(rounds))]
    return median(times[rounds[0] :]) / CYCLE


def seconds_between_steps(trial: StyleTransferModule, held_out: Tensor, steps: int) -> float:
    """Seconds of a run for contact sheets, validations and checkpoints; one photo of each is timed."""
    photos = as_floats(held_out[:1])
    timed(lambda: stylized_by(trial.network, photos), photos.device)
    sheet = timed(lambda: stylized_by(trial.network, photos), photos.device)
    drawn = steps // sheet_interval(steps) * SHEET_PHOTOS * sheet if steps else 0.0
    between = drawn + min(steps, CHECKPOINTS) * CHECKPOINT_SECONDS
    if validations := max(0, steps - 1) // validation_interval(steps):
        validate = partial(photo_by_photo, trial.required_criterion, trial.network, photos, trial.painting)
        validation = timed(validate, photos.device)
        between += validations * len(held_out) * validation
    return between


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that the work takes, to its end on the device."""
    start = time.perf_counter()
    work()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - start
