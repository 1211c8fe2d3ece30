"""Trains a network of many styles, or a further style of one (Dumoulin et al. 2017).

A batch mixes paintings: every photo is stylized by another one. Every second batch takes the norm parameters from the
predictor instead of the table, so that both learn, and the convolutions serve both (Ghiasi et al. 2017). The same
command resumes a stopped run: its folder is named after its settings.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from stylenet.data import unit_photos
from stylenet.data.paintings import Painting
from stylenet.disk import written_aside
from stylenet.losses.criterion import criterion_for
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.losses.settings import LossSettings
from stylenet.losses.terms import LOSS_TERMS
from stylenet.losses.vgg import VGGFeatures, VGGWeights
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import NetworkSettings, initialize
from stylenet.models.predictor import CONVOLUTIONS
from stylenet.training.module import rate_factor

log = logging.getLogger(__name__)

GRADIENT_CLIP = 10.0  # norm
SAVE_EVERY = 60.0  # seconds
UNTIMED, TIMED = 2, 4  # steps, to find how many fit into some minutes

Batches = Callable[[int], Iterable[UInt8[Tensor, "b 3 h w"]]]  # from batch number … on
Step = Callable[[UInt8[Tensor, "b 3 h w"], int], Tensor]


class OneStyle(nn.Module):
    """A many-style network with the parameters of one style in hand, for terms that apply the network again."""

    def __init__(self, network: ConditionalNet, parameters: Float[Tensor, " p"]) -> None:
        super().__init__()
        self.apply_: Callable[[Tensor], Tensor] = lambda photos: network.with_parameters(photos, parameters)

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        return self.apply_(photos)


def criteria_for(
    weights: VGGWeights, paintings: Sequence[Painting], loss: LossSettings, device: torch.device, bf16: bool
) -> list[PerceptualLoss]:
    """The criterion of each painting, its Gram matrices computed once; they share the loss network."""
    vgg, photos = VGGFeatures(weights).to(device), unit_photos()
    criteria = [criterion_for(vgg, painting.pixels.to(device), loss, photos) for painting in paintings]
    vgg.cast(torch.bfloat16 if bf16 else torch.float32)
    return criteria


def new_network(form: NetworkSettings, paintings: int, weights: VGGWeights, seed: int) -> ConditionalNet:
    """With random weights of the seed, and the loss network's first layers in the predictor."""
    network = initialize(ConditionalNet(replace(form, architecture="conditional", styles=paintings)), seed)
    if network.predictor is not None:
        found = {name: weights.convolutions[name] for name in CONVOLUTIONS}
        network.predictor.encoder.take(found, torch.tensor(weights.mean), torch.tensor(weights.std))
    return network


def loss_of(
    network: ConditionalNet,
    criteria: Sequence[PerceptualLoss],
    photos: Float[Tensor, "b 3 h w"],
    parameters: Float[Tensor, "b p"],
    number: int,
) -> Float[Tensor, ""]:
    """The mean over the photos of what a step minimizes, each by the criterion of its painting."""
    stylized = network.with_parameters(photos, parameters).float()
    totals = []
    for index, criterion in enumerate(criteria):
        one, photo = stylized[index : index + 1], photos[index : index + 1]
        values = criterion(one, photo, network=OneStyle(network, parameters[index]), number=number)
        weighted = criterion.weighted(values)
        totals.append(torch.stack([LOSS_TERMS[name].every * value for name, value in weighted.items()]).sum())
    return torch.stack(totals).mean()


def paintings_of(number: int, batch: int, count: int, seed: int) -> Int[Tensor, " b"]:
    """Which paintings batch `number` mixes: all have had their turn before one comes again."""
    places = range(number * batch, (number + 1) * batch)
    generators = {turn: torch.Generator().manual_seed(seed * 1_000_003 + turn) for turn in {p // count for p in places}}
    orders = {turn: torch.randperm(count, generator=generator) for turn, generator in generators.items()}
    return torch.stack([orders[place // count][place % count] for place in places])


def many_step(
    network: ConditionalNet, criteria: Sequence[PerceptualLoss], paintings: Sequence[Painting], seed: int, bf16: bool
) -> Step:
    """What computes the loss of a batch for a network of many styles."""
    predictor = network.predictor
    statistics = None
    if predictor is not None:
        statistics = torch.cat([predictor.encoder(painting.pixels.to(network.table)) for painting in paintings])

    def step(batch: Tensor, number: int) -> Tensor:
        # By rounds of two: terms that are taken at every second batch meet both kinds of parameters.
        chosen = paintings_of(number, len(batch), len(criteria), seed)
        photos = (batch.to(network.table.device).float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16):
            if predictor is not None and statistics is not None and number // 2 % 2:
                parameters = network.neutral + predictor.from_statistics(statistics[chosen]).float()
            else:
                parameters = network.table[chosen]
            return loss_of(network, [criteria[index] for index in chosen.tolist()], photos, parameters, number)

    return step


def further_step(network: ConditionalNet, row: nn.Parameter, criterion: PerceptualLoss, bf16: bool) -> Step:
    """What computes the loss of a batch for a further style: only `row` learns."""

    def step(batch: Tensor, number: int) -> Tensor:
        photos = (batch.to(network.table.device).float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16):
            return loss_of(network, [criterion] * len(batch), photos, row.expand(len(batch), -1), number)

    return step


def fit(
    parameters: Sequence[nn.Parameter], step: Step, batches: Batches, steps: int, rate: float, checkpoint: Path
) -> Iterator[tuple[int, float]]:
    """Minimizes the loss, and yields the number of each step and its loss. Resumes from `checkpoint` if it is there."""
    optimizer = torch.optim.Adam(parameters, lr=rate)
    first = restore(checkpoint, parameters, optimizer)
    saved = time.monotonic()
    crops = iter(batches(first))
    for number in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * rate_factor(number, steps)
        optimizer.zero_grad()
        loss = step(next(crops), number)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, GRADIENT_CLIP, error_if_nonfinite=True)
        optimizer.step()
        if time.monotonic() - saved > SAVE_EVERY or number + 1 == steps:
            save(checkpoint, parameters, optimizer, number + 1)
            saved = time.monotonic()
        yield number + 1, loss.item()


def save(path: Path, parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer, steps: int) -> None:
    with written_aside(path) as aside:
        torch.save({"parameters": list(parameters), "optimizer": optimizer.state_dict(), "steps": steps}, aside)


def restore(path: Path, parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer) -> int:
    """The number of steps done, with their results put in place; 0 without a checkpoint."""
    if not path.exists():
        return 0
    state: dict[str, Any] = torch.load(path, weights_only=True)
    with torch.no_grad():
        for parameter, value in zip(parameters, state["parameters"], strict=True):
            parameter.copy_(value)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["steps"])


def steps_in(minutes: float, step: Step, batches: Batches) -> int:
    """How many steps fit into so many minutes here: a few are timed, without learning from them."""
    crops, times = iter(batches(0)), []
    for number in range(UNTIMED + TIMED):
        start = time.perf_counter()
        step(next(crops), number).backward()  # type: ignore[no-untyped-call]
        times.append(time.perf_counter() - start)
    return max(1, round(60 * minutes / (sum(times[UNTIMED:]) / TIMED)))
