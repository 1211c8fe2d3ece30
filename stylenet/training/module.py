"""Learning a style: the Lightning module, its rate schedule, and how many steps fit into some minutes."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import pytorch_lightning as pl
import torch
from jaxtyping import UInt8
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from stylenet.distributed import rank_and_world
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.losses.terms import LOSS_TERMS
from stylenet.models.network import StyleNetwork

WARM_UP = 0.1  # of all steps
CYCLE = math.lcm(*(term.every for term in LOSS_TERMS.values()))  # batches in which every term has its turns
TIMED_ROUNDS, UNTIMED_ROUNDS = 4, 2  # of as many steps

Crops = Callable[[int], IterableDataset[Tensor]]


def rate_factor(step: int, steps: int) -> float:
    """One cycle: up linearly over the first tenth of the run, then down to nothing along a cosine."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def total_of(values: Mapping[str, Tensor]) -> Tensor:
    """What a step minimizes: the sum of the weighted terms; one taken at every second batch counts twice there."""
    return torch.stack([LOSS_TERMS[name].every * value for name, value in values.items()]).sum()


class StyleTraining(pl.LightningModule):
    """Fits a network to a criterion.

    `crops(first)` gives the batches (uint8 b 3 h w) from number `first` on, so that a resumed run goes on with
    the batch that would have come next.
    """

    def __init__(
        self,
        network: StyleNetwork,
        criterion: PerceptualLoss,
        crops: Crops,
        steps: int,
        learning_rate: float,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.criterion = criterion
        self.crops, self.steps, self.learning_rate = crops, steps, learning_rate
        self.latest: dict[str, Tensor] = {}  # the last value of each weighted term

    def train_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(self.crops(self.global_step * self.trainer.accumulate_grad_batches), batch_size=None)

    def training_step(self, batch: UInt8[Tensor, "b 3 h w"], index: int) -> Tensor:
        batches = self.trainer.accumulate_grad_batches
        values = self.weighted_losses(batch, self.global_step * batches + index % batches)
        self.log_losses(values)
        return total_of(values)

    def log_losses(self, values: Mapping[str, Tensor]) -> None:
        """Logs each weighted term and their sum. A term that is not taken at every batch counts as it was last."""
        self.latest |= {name: value.detach() for name, value in values.items()}
        if set(self.latest) >= set(self.criterion.terms):  # else a resumed run is between two turns of a term
            losses = self.latest | {"total": torch.stack(list(self.latest.values())).sum()}
            self.log_dict({f"loss/{name}": value for name, value in losses.items()}, sync_dist=True)

    def weighted_losses(self, batch: UInt8[Tensor, "b 3 h w"], number: int) -> dict[str, Tensor]:
        """The weighted terms of the criterion that are due at batch `number`, counted from 0."""
        photos = (batch.float() / 255).contiguous(memory_format=torch.channels_last)
        stylized = self.network(photos).float()
        share = rank_and_world()
        values = self.criterion(stylized, photos, network=self.network, number=number, share=share)
        return self.criterion.weighted(values)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        # Fused, it can leave a step out on the device (`stylenet.training.callbacks.recovery`).
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.learning_rate, fused=True)
        optimizer._step_supports_amp_scaling = False  # else Lightning refuses to clip its gradients
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(rate_factor, steps=self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def steps_in(minutes: float, module: StyleTraining, device: torch.device, devices: int, bf16: bool) -> int:
    """How many training steps fit into so many minutes here: a few are timed, without learning from them.

    Of several devices one is timed, with its share of a batch.
    """
    module.to(device)
    batch = next(iter(module.crops(0)))
    batch = batch[: len(batch) // devices].to(device)
    seconds = [seconds_of_a_round(module, batch, bf16) for _ in range(UNTIMED_ROUNDS + TIMED_ROUNDS)]
    module.zero_grad()
    return max(1, int(60 * minutes * CYCLE / median(seconds[UNTIMED_ROUNDS:])))


def seconds_of_a_round(module: StyleTraining, batch: UInt8[Tensor, "b 3 h w"], bf16: bool) -> float:
    """Times as many batches as it takes for every loss term to have its turn."""
    start = time.perf_counter()
    for number in range(CYCLE):
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16):
            total = total_of(module.weighted_losses(batch, number))
        total.backward()  # type: ignore[no-untyped-call]
        total.item()  # waits for a GPU
    return time.perf_counter() - start
