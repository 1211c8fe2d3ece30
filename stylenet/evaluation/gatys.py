"""The Gatys-equivalent: how many steps of optimization are worth one pass through a network (Johnson et al., fig. 5).

Each photo is optimized against the network's own criterion; the first step at which the mean loss is no more than the
network's is the equivalent. A step is one evaluation of loss and gradient.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.evaluation.optimization import optimize, start_from
from stylenet.evaluation.settings import OPTIMIZERS, STARTS
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.models.network import StyleNetwork

RESAMPLES = 1000


@dataclass(frozen=True)
class Equivalent:
    """`steps`: None where the optimizer did not get so far in the steps it had. `low`, `high`: 90 % of resamples of
    the photos, in which such a case counts as one step more than all. `curve`: mean loss at each step; `loss`: the
    network's.
    """

    steps: int | None
    low: int
    high: int
    curve: list[float]
    loss: float


def weighted_losses(network: StyleNetwork, criterion: PerceptualLoss, photos: Float[Tensor, "n 3 h w"]) -> list[float]:
    """The total loss of each stylized photo, as the training weighs it."""
    with torch.inference_mode():
        return [float(criterion.total(network(photo[None]).float(), photo[None])) for photo in photos]


def equivalents(
    network: StyleNetwork,
    criterion: PerceptualLoss,
    photos: Float[Tensor, "n 3 h w"],
    steps: int,
    optimizers: Sequence[str] = OPTIMIZERS,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Equivalent]:
    """One for each start and optimizer, by names such as `noise/lbfgs`."""
    goals = weighted_losses(network, criterion, photos)
    found = {}
    for start in STARTS:
        for optimizer in optimizers:
            curves = [curve(criterion, photo[None], start, optimizer, steps) for photo in photos]
            found[f"{start}/{optimizer}"] = result = equivalent(goals, curves)
            tell(f"{start}/{optimizer}: {result.steps or f'more than {steps}'} steps")
    return found


def curve(criterion: PerceptualLoss, photo: Tensor, start: str, optimizer: str, steps: int) -> list[float]:
    """The least loss so far, after each step."""
    losses: list[float] = []
    optimize(criterion, photo, start_from(start, photo), steps, optimizer, lambda _, loss, __: losses.append(loss))
    least = list(accumulate(losses, min))
    return least + least[-1:] * (steps - len(least))  # a line search that finds nothing better may end early


def equivalent(goals: list[float], curves: list[list[float]]) -> Equivalent:
    """The equivalent, from the network's losses and the optimizer's curves, photo by photo."""
    rng = random.Random(0)
    everything = range(len(goals))
    steps = len(curves[0])
    tries = [first_step(goals, curves, rng.choices(everything, k=len(goals))) for _ in range(RESAMPLES)]
    counted = sorted(steps + 1 if found is None else found for found in tries)
    return Equivalent(
        first_step(goals, curves, everything),
        counted[round(0.05 * (RESAMPLES - 1))],
        counted[round(0.95 * (RESAMPLES - 1))],
        [round(fmean(column), 4) for column in zip(*curves, strict=True)],
        round(fmean(goals), 4),
    )


def first_step(goals: list[float], curves: list[list[float]], chosen: Sequence[int]) -> int | None:
    """Counted from 1, over the chosen photos; None where the steps were too few."""
    goal = sum(goals[index] for index in chosen)
    for step in range(len(curves[0])):
        if sum(curves[index][step] for index in chosen) <= goal:
            return step + 1
    return None
