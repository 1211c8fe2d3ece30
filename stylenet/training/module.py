"""Learning a style: the Lightning module, its rate schedule, and how many steps fit into some minutes."""

import math
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import pytorch_lightning as pl
import torch
from jaxtyping import UInt8
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from stylenet.losses.perceptual import Losses, PerceptualLoss
from stylenet.losses.stability import calm_loss
from stylenet.models.transformer_net import TransformerNet

WARM_UP = 0.1  # of all steps
CALM_EVERY = 2  # steps
TIMED_ROUNDS, UNTIMED_ROUNDS = 4, 2  # of as many steps

Crops = Callable[[int], IterableDataset[Tensor]]


def rate_factor(step: int, steps: int) -> float:
    """One cycle: up linearly over the first tenth of the run, then down to nothing along a cosine."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


class StyleTraining(pl.LightningModule):
    """Fits a network to a criterion.

    `crops(first)` gives the batches (uint8 b 3 h w) from number `first` on, so that a resumed run goes on with
    the batch that would have come next.
    """

    def __init__(
        self,
        network: TransformerNet,
        criterion: PerceptualLoss,
        crops: Crops,
        steps: int,
        learning_rate: float,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.criterion = criterion
        self.crops, self.steps, self.learning_rate = crops, steps, learning_rate

    def train_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(self.crops(self.global_step * self.trainer.accumulate_grad_batches), batch_size=None)

    def training_step(self, batch: UInt8[Tensor, "b 3 h w"], _: int) -> Tensor:
        losses = self.losses(batch, self.global_step)
        self.log_dict({f"loss/{name}": value.detach() for name, value in losses.items()}, sync_dist=True)
        return losses["total"]

    def losses(self, batch: UInt8[Tensor, "b 3 h w"], step: int) -> dict[str, Tensor]:
        """The weighted terms of the criterion for a batch, and their `total`.

        The calm term costs a second pass through the network, so it is taken at every second step, twice as heavy.
        """
        photos = (batch.float() / 255).contiguous(memory_format=torch.channels_last)
        stylized = self.network(photos).float()
        terms: Losses = self.criterion(stylized, photos)
        losses, weight = terms.weighted(self.criterion.settings), self.criterion.settings.calm_weight
        if weight and step % CALM_EVERY == 0:
            calm = CALM_EVERY * weight * calm_loss(self.network, photos, stylized, step)
            losses |= {"calm": calm, "total": losses["total"] + calm}
        return losses

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
    return max(1, int(60 * minutes * CALM_EVERY / median(seconds[UNTIMED_ROUNDS:])))


def seconds_of_a_round(module: StyleTraining, batch: UInt8[Tensor, "b 3 h w"], bf16: bool) -> float:
    """Of a step with the calm term and those without."""
    start = time.perf_counter()
    for step in range(CALM_EVERY):
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16):
            total = module.losses(batch, step)["total"]
        total.backward()  # type: ignore[no-untyped-call]
        total.item()  # waits for a GPU
    return time.perf_counter() - start
