"""Trains a network of many styles, or a further style of one (Dumoulin et al. 2017).

A batch mixes paintings: every photo is stylized by another one. A row of the table is what the predictor says of the
painting, and what the row differs from it: a painting has its turn too rarely to learn all of a row alone. Some
batches go without that difference, so that the predictor learns to do without (Ghiasi et al. 2017). The same
command resumes a stopped run: its folder is named after its settings.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from stylenet.data.paintings import Painting
from stylenet.device import sent
from stylenet.disk import atomic_write, printable
from stylenet.errors import UserError
from stylenet.losses.terms import CYCLE
from stylenet.losses.vgg import VGGWeights
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import NetworkSettings, StyleNetwork, initialize
from stylenet.models.predictor import CONVOLUTIONS
from stylenet.models.transformer_net import TransformerNet
from stylenet.training.budget import GRADIENT_CLIP
from stylenet.training.callbacks.recovery import MAX_CONSECUTIVE_SKIPS, skip_step
from stylenet.training.many_targets import Criteria
from stylenet.training.step import rate_factor, shown_photos, total_of

log = logging.getLogger(__name__)

SAVE_EVERY = 60.0  # seconds
# Factors of the learning rate. A row has its turn once in a round of all paintings. The predictor's hidden values are
# sums over hundreds of inputs: at the full rate a step moved them by more than they vary, colors burned out and no
# style had strokes.
ROW_RATE, PREDICTOR_RATE = 3.0, 0.03
ALONE = 4  # of so many cycles of batches, one is for the predictor alone

Batches = Callable[[int], Iterable[UInt8[Tensor, "b 3 h w"]]]  # from batch number … on
Step = Callable[[UInt8[Tensor, "b 3 h w"], int], Tensor]


class OneStyle(nn.Module):
    """A many-style network with the parameters of one style in hand, for terms that apply the network again."""

    def __init__(self, network: ConditionalNet, parameters: Float[Tensor, " p"]) -> None:
        super().__init__()
        self.network = network
        self.apply_: Callable[[Tensor], Tensor] = lambda photos: network.with_parameters(photos, parameters)

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        return self.apply_(photos)


@dataclass(frozen=True)
class Length:
    """The length of a training: steps, or seconds by the clock. The learning rate falls to 0 towards the end."""

    steps: int | None
    seconds: float = 60.0

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps else f"{self.seconds / 60:g} minutes"

    def over(self, steps: int, seconds: float) -> bool:
        return steps >= self.steps if self.steps else seconds >= self.seconds

    def rate_factor(self, steps: int, seconds: float) -> float:
        return rate_factor(steps, self.steps) if self.steps else rate_factor(int(seconds), max(1, int(self.seconds)))


def new_network(form: NetworkSettings, paintings: Sequence[Painting], weights: VGGWeights, seed: int) -> ConditionalNet:
    """A network with random weights of the seed, and the loss network's first layers in the predictor."""
    network = initialize(ConditionalNet(replace(form, architecture="conditional", styles=len(paintings))), seed)
    if network.predictor is not None:
        found = {name: weights.convolutions[name] for name in CONVOLUTIONS}
        network.predictor.encoder.take(found, torch.tensor(weights.mean), torch.tensor(weights.std))
        if (statistics := statistics_of(network, paintings)) is not None:
            network.predictor.standardize(statistics)
    return network


def learned_by(network: ConditionalNet) -> dict[float, list[nn.Parameter]]:
    """All that a network of many styles learns, by the factor of the learning rate."""
    learned = {1.0: list(network.layers.parameters()), ROW_RATE: [network.table]}
    return learned | ({PREDICTOR_RATE: list(network.predictor.parameters())} if network.predictor else {})


def statistics_of(network: ConditionalNet, paintings: Sequence[Painting]) -> Float[Tensor, "n s"] | None:
    """The predictor's inputs for the paintings; None without a predictor."""
    if network.predictor is None:
        return None
    return torch.cat([network.predictor.encoder(painting.small.to(network.table)) for painting in paintings])


@torch.no_grad()
def begin_at(network: ConditionalNet, base: StyleNetwork, rows: Sequence[int | None]) -> None:
    """Puts a trained network's weights in place: of one style, which every painting then begins with, or of many.

    `rows` are the places of the paintings in the table of many; None for those that are not there.
    """
    if isinstance(base, TransformerNet):
        row = network.take(base)
        network.table.copy_(row.expand_as(network.table))
        if network.predictor is not None:
            network.predictor.head.bias.copy_(row - network.neutral)
        return
    if not isinstance(base, ConditionalNet) or (base.predictor is None) != (network.predictor is None):
        raise UserError("init: this network cannot be the start of a network of many styles")
    network.load_state_dict({name: value for name, value in base.state_dict().items() if name != "table"}, strict=False)
    mean = base.table.mean(0)
    network.table.copy_(torch.stack([mean if row is None else base.table[row] for row in rows]))


@torch.no_grad()
def apart(network: ConditionalNet, statistics: Float[Tensor, "n s"] | None, sign: int) -> None:
    """Makes rows of the table from differences to what is predicted (`sign` 1), or the reverse (-1)."""
    if network.predictor is not None and statistics is not None:
        network.table.add_(sign * (network.neutral + network.predictor.from_statistics(statistics)))


def loss_of(
    network: ConditionalNet,
    criteria: Criteria,
    chosen: Sequence[int],
    photos: Float[Tensor, "b 3 h w"],
    parameters: Float[Tensor, "b p"],
    number: int,
) -> Float[Tensor, ""]:
    """The mean over the photos of what a step minimizes, each by the criterion of its painting."""
    stylized = network.with_parameters(photos, parameters).float()
    totals = []
    for index, painting in enumerate(chosen):
        criterion = criteria.of(painting)
        one, photo = stylized[index : index + 1], photos[index : index + 1]
        values = criterion(one, photo, network=OneStyle(network, parameters[index]), number=number)
        totals.append(total_of(criterion.weighted(values)))
    return torch.stack(totals).mean()


def paintings_of(number: int, batch: int, count: int, seed: int) -> Int[Tensor, " b"]:
    """The indices of the paintings in batch `number`: all have had their turn before one comes again."""
    places = range(number * batch, (number + 1) * batch)
    seeds = {turn: (seed * 1_000_003 + turn) % 2**63 for turn in {place // count for place in places}}
    generators = {turn: torch.Generator().manual_seed(each) for turn, each in seeds.items()}
    orders = {turn: torch.randperm(count, generator=generator) for turn, generator in generators.items()}
    return torch.stack([orders[place // count][place % count] for place in places])


def many_step(
    network: ConditionalNet,
    criteria: Criteria,
    statistics: Float[Tensor, "n s"] | None,
    seed: int,
    bf16: bool,
    flat_areas: float = 0.0,
) -> Step:
    """Returns the function that computes a batch's loss for a network of many styles, whose table holds differences."""
    predictor = network.predictor

    def step(batch: Tensor, number: int) -> Tensor:
        # By whole cycles, so that terms taken at every n-th batch meet both kinds of parameters.
        chosen = paintings_of(number, len(batch), len(criteria), seed)
        batch, rows = (sent(each, network.table.device) for each in (batch, chosen))
        shown = shown_photos(network, batch, flat_areas, number)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16), shown as photos:
            parameters = network.table[rows]
            if predictor is not None and statistics is not None:
                alone = number // CYCLE % ALONE == ALONE - 1
                predicted = network.neutral + predictor.from_statistics(statistics[rows]).float()
                parameters = predicted if alone else predicted + parameters
            return loss_of(network, criteria, chosen.tolist(), photos, parameters, number)

    return step


def further_step(
    network: ConditionalNet, row: nn.Parameter, criteria: Criteria, bf16: bool, flat_areas: float = 0.0
) -> Step:
    """Returns the function that computes a batch's loss for a further style: only `row` learns."""

    def step(batch: Tensor, number: int) -> Tensor:
        batch = sent(batch, network.table.device)
        shown = shown_photos(network, batch, flat_areas, number)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16), shown as photos:
            return loss_of(network, criteria, [0] * len(batch), photos, row.expand(len(batch), -1), number)

    return step


def fit(
    learned: Mapping[float, Sequence[nn.Parameter]],
    step: Step,
    batches: Batches,
    length: Length,
    rate: float,
    checkpoint: Path,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, float, Tensor]]:
    """Minimizes the loss, and yields the steps and seconds done and the loss. Resumes from `checkpoint` if it is there.

    `learned` holds the parameters by the factor of the rate at which they learn.

    By steps, a stopped run ends with the same bytes as one that was not. By the clock, it ends on time however busy the
    machine is, and no run equals another. A step whose loss or gradient is not finite is skipped; on a GPU nothing is
    read before the next checkpoint. Raises `UserError` when that finds steps that were skipped one after another.
    """
    parameters = [parameter for group in learned.values() for parameter in group]
    device = parameters[0].device
    groups = [{"params": list(group)} for group in learned.values()]
    optimizer = torch.optim.Adam(groups, lr=rate, fused=device.type in ("cpu", "cuda"))
    number, before = restore(checkpoint, parameters, optimizer)
    begun = saved = time.monotonic()
    crops = iter(batches(number))
    seconds = before
    skipped = torch.zeros((), dtype=torch.int64, device=device)  # one after another
    while not length.over(number, seconds):
        for group, factor in zip(optimizer.param_groups, learned, strict=True):
            group["lr"] = factor * rate * length.rate_factor(number, seconds)
        optimizer.zero_grad()
        loss = step(next(crops), number)
        loss.backward()  # type: ignore[no-untyped-call]
        bad = ~(nn.utils.clip_grad_norm_(parameters, GRADIENT_CLIP).isfinite() & loss.detach().isfinite())
        skip_step(optimizer, bad)
        optimizer.step()
        skipped = (skipped + 1) * bad
        number, seconds = number + 1, before + time.monotonic() - begun
        ends = stopped() or length.over(number, seconds)
        if ends or time.monotonic() - saved > SAVE_EVERY:
            check_skipped(int(skipped), number)
            save(checkpoint, parameters, optimizer, number, seconds)
            saved = time.monotonic()
        yield number, seconds, loss.detach()
        if ends:
            return


def check_skipped(skipped: int, steps: int) -> None:
    """Raises `UserError` for a training that learns nothing any more."""
    if skipped >= min(MAX_CONSECUTIVE_SKIPS, steps):
        raise UserError(f"step {steps}: the last {skipped} steps were not finite; try a lower learning_rate")


def save(
    path: Path, parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer, steps: int, seconds: float
) -> None:
    done = {"steps": steps, "seconds": seconds}
    with atomic_write(path) as temporary:
        torch.save({"parameters": list(parameters), "optimizer": optimizer.state_dict(), **done}, temporary)


def restore(path: Path, parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    """The steps and seconds done, with their results put in place; 0 without a checkpoint."""
    if not path.exists():
        return 0, 0.0
    state = loaded(path, parameters[0].device)
    if [value.shape for value in state["parameters"]] != [parameter.shape for parameter in parameters]:
        raise unusable(path)
    with torch.no_grad():
        for parameter, value in zip(parameters, state["parameters"], strict=True):
            parameter.copy_(value)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["steps"]), float(state["seconds"])


def steps_done(path: Path) -> int:
    """The steps of a finished run."""
    return int(loaded(path, torch.device("cpu"))["steps"])


def loaded(path: Path, device: torch.device) -> dict[str, Any]:
    """A checkpoint's content. Raises `UserError` for a damaged file."""
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises almost anything on mutilated files
        raise unusable(path) from error
    return state


def unusable(path: Path) -> UserError:
    return UserError(f"{printable(path)} is damaged or of another version; remove it to begin again")
