"""Number of steps that fit into some minutes: whole steps are timed at a rate of 0, and the work between."""

import time
from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from statistics import median

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from stylenet.data.datamodule import PhotoCrops
from stylenet.device import to_device
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
    before = deepcopy(module.state_dict())  # a gradient that is not finite would spoil weights even at a rate of 0
    seconds = seconds_per_batch(module, data, device, devices, bf16, rounds(minutes))
    module.load_state_dict(before)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        between = seconds_between_steps(module, data.held_out.to(device), int(60 * minutes / seconds))
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
    module: StyleTransferModule,
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
    learned = module.learned()
    optimizer = make_optimizer(learned, 0.0)

    def batch(number: int) -> None:
        photos = next(batches)
        photos = to_device(photos[: len(photos) // devices], device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            total = total_of(module.weighted_losses(photos, number))
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(chain.from_iterable(learned.values()), GRADIENT_CLIP)
        optimizer.step()

    def cycle() -> None:
        for number in range(CYCLE):
            batch(number)

    batch(0)  # the first takes longer
    times = [seconds_taken(cycle, device) for _ in range(sum(rounds))]
    optimizer.zero_grad()
    return median(times[rounds[0] :]) / CYCLE


@torch.inference_mode()
def seconds_between_steps(module: StyleTransferModule, held_out: Tensor, steps: int) -> float:
    """Seconds of a run for contact sheets, validations and checkpoints; one photo of each is timed."""
    photos = as_floats(held_out[:1])
    seconds_taken(lambda: module(photos), photos.device)
    sheet = seconds_taken(lambda: module(photos), photos.device)
    drawn = steps // sheet_interval(steps) * SHEET_PHOTOS * sheet if steps else 0.0
    between = drawn + min(steps, CHECKPOINTS) * CHECKPOINT_SECONDS
    if validations := max(0, steps - 1) // validation_interval(steps):
        validation = seconds_taken(lambda: module.figures(photos), photos.device)
        between += validations * len(held_out) * validation
    return between


def seconds_taken(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that the work takes, to its end on the device."""
    start = time.perf_counter()
    work()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - start
