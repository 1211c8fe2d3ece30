"""One image by optimization, as Gatys et al. 2016 do it, against the same criterion as the networks.

A step is one evaluation of the loss and its gradient, for either optimizer, so that their curves can be compared.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.errors import UserError
from stylenet.evaluation.settings import OPTIMIZERS, STARTS
from stylenet.losses.perceptual import PerceptualLoss

HISTORY = 100  # of L-BFGS
RATE = 0.02  # of Adam, in values of [0, 1]

Watch = Callable[[int, float, Tensor], None]


def optimize(
    criterion: PerceptualLoss,
    photo: Float[Tensor, "1 3 h w"],
    start: Float[Tensor, "1 3 h w"],
    steps: int,
    optimizer: str = "lbfgs",
    watch: Watch = lambda step, loss, picture: None,
) -> Float[Tensor, "1 3 h w"]:
    """The image after so many steps from `start`, in [0, 1].

    `watch` is told of every step: its number, counted from 1, the weighted loss before it, and the image then,
    which may leave [0, 1] by a little. Raises `UserError` for an optimizer that is not there.
    """
    picture = start.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    run = Run(criterion, photo, picture, steps, watch)
    if optimizer == "lbfgs":
        lbfgs(run)
    elif optimizer == "adam":
        adam(run)
    else:
        raise UserError(f"the optimizer must be one of {', '.join(OPTIMIZERS)}, got {optimizer}")
    return picture.detach().clamp(0, 1)


class BudgetExhaustedError(Exception):
    """The steps are spent, maybe in the middle of a line search."""


class Run:
    """Counts the evaluations, and ends them."""

    def __init__(self, criterion: PerceptualLoss, photo: Tensor, picture: Tensor, steps: int, watch: Watch) -> None:
        self.criterion, self.photo, self.picture = criterion, photo, picture
        self.steps, self.watch, self.done = steps, watch, 0

    def evaluate(self) -> float:
        """The loss; leaves its gradient at the image. Raises `BudgetExhaustedError` when all steps are done."""
        if self.done == self.steps:
            raise BudgetExhaustedError
        self.done += 1
        self.picture.grad = None
        total = self.criterion.total(self.picture, self.photo)
        total.backward()  # type: ignore[no-untyped-call]
        loss = float(total.detach())
        self.watch(self.done, loss, self.picture.detach())
        return loss


def lbfgs(run: Run) -> None:
    """History 100, strong Wolfe line search; nothing but the number of steps ends it."""
    optimizer: torch.optim.Optimizer = torch.optim.LBFGS(
        [run.picture],
        max_iter=run.steps,
        max_eval=run.steps + 1,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )
    best = Best(run)
    try:
        optimizer.step(best.evaluate)
    except BudgetExhaustedError:
        best.restore()  # the line search may have stopped at a bad place


class Best:
    """Remembers the image with the least loss."""

    def __init__(self, run: Run) -> None:
        self.run, self.loss, self.picture = run, float("inf"), run.picture.detach().clone()

    def evaluate(self) -> float:
        loss = self.run.evaluate()
        if loss < self.loss:
            self.loss = loss
            self.picture.copy_(self.run.picture.detach())
        return loss

    def restore(self) -> None:
        with torch.no_grad():
            self.run.picture.copy_(self.picture)


def adam(run: Run) -> None:
    optimizer = torch.optim.Adam([run.picture], lr=RATE)
    for _ in range(run.steps):
        run.evaluate()
        optimizer.step()


def start_from(name: str, photo: Float[Tensor, "1 3 h w"], seed: int = 0) -> Float[Tensor, "1 3 h w"]:
    """The photo itself, or noise, even over [0, 1]."""
    if name not in STARTS:
        raise UserError(f"the start must be one of {', '.join(STARTS)}, got {name}")
    if name == "photo":
        return photo
    return torch.rand(photo.shape, generator=torch.Generator().manual_seed(seed)).to(photo.device)
