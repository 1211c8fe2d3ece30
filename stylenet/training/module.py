"""The Lightning module: a network that learns one painting from photos."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor

from stylenet.data.flat_areas import with_flat_areas
from stylenet.distributed import mean_over_ranks, rank_and_world
from stylenet.errors import UserError
from stylenet.evaluation.appearance import PaintingFigures
from stylenet.evaluation.held_out import photo_by_photo
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.losses.terms import LOSS_TERMS
from stylenet.models.network import NetworkSettings, StyleNetwork
from stylenet.models.plane_waves import pattern_at
from stylenet.models.registry import build_network

WARM_UP = 0.1  # of all steps
PATTERN = 4000.0  # pixels of the network's pattern that batches come to lie on

Batch = UInt8[Tensor, "b 3 h w"] | Float[Tensor, "b 3 h w"]


def rate_factor(step: int, steps: int) -> float:
    """One cycle: linear warm-up over the first tenth of the run, then cosine decay to zero."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def pattern_origin(number: int) -> tuple[float, float]:
    """Where batch `number` lies on the network's pattern: anywhere, as crops see only a part of an image's."""
    generator = np.random.default_rng(number)  # not of torch, which could have to wait for a GPU
    return generator.uniform(0, PATTERN), generator.uniform(0, PATTERN)


def total_of(values: Mapping[str, Tensor]) -> Float[Tensor, ""]:
    """What a step minimizes: the sum of the weighted terms; one taken at every fourth batch counts four times there."""
    return torch.stack([LOSS_TERMS[name].every * value for name, value in values.items()]).sum()


class StyleTransferModule(pl.LightningModule):
    """Fits a network to a criterion.

    `network` is a network, or the settings of one with random weights. `criterion` is only needed to train and to
    validate (`stylenet.losses.criterion.criterion_for`). `steps` is the length of the rate schedule, and should be the
    trainer's `max_steps`; `learning_rate` is that of Adam at its top; `flat_areas` the share of the photos of which a
    part is made flat (`stylenet.data.flat_areas`).

    A batch holds photos (b, 3, h, w), RGB: uint8, or float in [0, 1]. Sides must be at least 16 px. Anything else
    raises `UserError`. Training logs `loss/TERM` (weighted) and `loss/total`, validation `held_out/content`,
    `held_out/style` (unweighted), `held_out/untouched` (the style loss of the photos themselves) and `held_out/share`
    (style over untouched). With the figures of the `painting`, validation also logs how the results look beside it:
    `held_out/chroma`, `texture`, `coarse`, `empty` and `color_sw` (`stylenet.evaluation.appearance`).
    """

    def __init__(
        self,
        network: StyleNetwork | NetworkSettings | Mapping[str, Any],
        criterion: PerceptualLoss | None = None,
        steps: int = 10_000,
        learning_rate: float = 3e-3,
        painting: PaintingFigures | None = None,
        flat_areas: float = 0.0,
    ) -> None:
        super().__init__()
        if isinstance(network, Mapping):
            network = NetworkSettings(**network)
        if isinstance(network, NetworkSettings):
            network = build_network(network)
        self.network = network.to(memory_format=torch.channels_last)
        self.criterion, self.painting = criterion, painting
        self.steps, self.learning_rate, self.flat_areas = steps, learning_rate, flat_areas
        self.latest: dict[str, Tensor] = {}  # the last value of each weighted term
        self.held_out: list[dict[str, Tensor]] = []  # losses of the photos validated so far
        plain = {
            "network": asdict(network.settings),
            "steps": steps,
            "learning_rate": learning_rate,
            "flat_areas": flat_areas,
        }
        self.save_hyperparameters(plain, logger=False)  # the run's own settings are logged once, in full

    def forward(self, photos: Batch) -> Float[Tensor, "b 3 h w"]:
        """The stylized photos, in [0, 1]."""
        stylized: Tensor = self.network(as_floats(photos)).float()
        return stylized

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Tensor:
        """Raises `UserError` for what is no batch of photos, while it is still where looking at it costs nothing."""
        return checked_batch(batch)

    def training_step(self, batch: Batch, index: int) -> Float[Tensor, ""]:
        batches = self.trainer.accumulate_grad_batches
        values = self.weighted_losses(batch, self.global_step * batches + index % batches)
        self.log_losses(values)
        return total_of(values)

    def log_losses(self, values: Mapping[str, Tensor]) -> None:
        """Logs each weighted term and their sum. A term that is not taken at every batch counts as it was last."""
        self.latest |= {name: value.detach() for name, value in values.items()}
        if not set(self.latest) >= set(self.objective.terms):  # a resumed run between two turns of a term
            return
        losses = self.latest
        every = getattr(self.trainer, "log_every_n_steps", 0) or 1
        if (self.global_step + 1) % every == 0:  # else nobody sees the other ranks'
            losses = mean_over_ranks(losses)
        total = torch.stack([value.float() for value in losses.values()]).sum()
        self.log_dict({f"loss/{name}": value for name, value in (losses | {"total": total}).items()})

    def weighted_losses(self, batch: Batch, number: int) -> dict[str, Tensor]:
        """The weighted terms of the criterion that are due at batch `number`, counted from 0."""
        share = rank, _ = rank_and_world()
        photos = with_flat_areas(as_floats(batch), self.flat_areas, number, rank * len(batch))
        with pattern_at(self.network, *pattern_origin(number)):
            stylized = self.network(photos).float()
            values = self.objective(stylized, photos, network=self.network, number=number, share=share)
        return self.objective.weighted(values)

    def validation_step(self, batch: Batch, index: int) -> None:
        photos = as_floats(batch)
        self.held_out += photo_by_photo(self.objective, self.network, photos, self.painting)

    def on_validation_epoch_end(self) -> None:
        means = {name: torch.stack([each[name] for each in self.held_out]).mean() for name in self.held_out[0]}
        means = mean_over_ranks(means)
        self.held_out.clear()
        means["share"] = means["style"] / means["untouched"]
        self.log_dict({f"held_out/{name}": value for name, value in means.items()})

    def predict_step(self, batch: Batch, index: int) -> Float[Tensor, "b 3 h w"]:
        stylized: Tensor = self(batch)
        return stylized

    @property
    def objective(self) -> PerceptualLoss:
        """The criterion. Raises `UserError` where none was given."""
        if self.criterion is None:
            raise UserError("a module without a criterion can only stylize: StyleTransferModule(network, criterion)")
        return self.criterion

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = make_optimizer(self.network, self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(rate_factor, steps=self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def make_optimizer(network: torch.nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Adam, fused where that can skip a step on the device (`stylenet.training.callbacks.recovery`): not on MPS."""
    fused = next(network.parameters()).device.type in ("cpu", "cuda")
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=fused)
    optimizer._step_supports_amp_scaling = False  # else Lightning refuses to clip its gradients
    return optimizer


def as_floats(photos: Batch) -> Float[Tensor, "b 3 h w"]:
    """Photos in [0, 1], channels last in memory."""
    floats = photos.float() / 255 if photos.dtype == torch.uint8 else photos.float()
    return floats.contiguous(memory_format=torch.channels_last)


def checked_batch(batch: Any) -> Tensor:
    """The photos of a batch: a tensor, or a tensor alone in a list. Raises `UserError` for anything else."""
    if isinstance(batch, Sequence) and len(batch) == 1:  # as torch.utils.data.TensorDataset has it
        batch = batch[0]
    wanted = "a batch must be a tensor of photos (b, 3, h, w), uint8 or float in [0, 1]"
    if not isinstance(batch, Tensor):
        raise UserError(f"{wanted}, got {type(batch).__name__}")
    if batch.dim() != 4 or batch.shape[1] != 3 or not (batch.dtype == torch.uint8 or batch.is_floating_point()):
        raise UserError(f"{wanted}, got {str(batch.dtype).removeprefix('torch.')} of {tuple(batch.shape)}")
    if batch.is_floating_point():
        low, high = (float(value) for value in batch.aminmax())
        if not (low >= 0 and high <= 1):
            raise UserError(f"{wanted}, got values from {low:.3g} to {high:.3g}")
    return batch
