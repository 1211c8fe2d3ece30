"""The Lightning module: a network that learns one painting from photos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from stylenet.distributed import mean_over_ranks, rank_and_world
from stylenet.errors import UserError
from stylenet.evaluation.appearance import PaintingFigures
from stylenet.evaluation.held_out import photo_by_photo
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.models.network import NetworkSettings, StyleNetwork
from stylenet.models.registry import build_network
from stylenet.training.step import Batch, as_floats, checked_batch, rate_factor, shown_photos, total_of


class StyleTransferModule(pl.LightningModule):
    """Fits a network to a criterion.

    `network` is a network, or the settings of one with random weights. `criterion` is only needed to train and to
    validate (`stylenet.losses.criterion.criterion_for`). `steps` is the length of the rate schedule, and should be the
    trainer's `max_steps`; `learning_rate` is that of Adam at its top; `flat_areas` the share of the photos of which a
    part is made flat (`stylenet.data.flat_areas`).

    A batch holds photos (b, 3, h, w), RGB: uint8, or float in [0, 1]. Sides must be at least 16 px. Anything else
    raises `UserError`. Training logs `loss/TERM` (weighted) and `loss/total`, validation `held_out/content`,
    `held_out/style` (unweighted), `held_out/style_baseline` (the style loss of the photos themselves) and
    `held_out/style_ratio` (style over baseline). With the figures of the `painting`, validation also logs how the
    results look beside it: `held_out/chroma`, `texture`, `coarse`, `empty` and `color_sw`
    (`stylenet.evaluation.appearance`).
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
        if not set(self.latest) >= set(self.required_criterion.terms):  # a resumed run between two turns of a term
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
        with shown_photos(self.network, batch, self.flat_areas, number, rank * len(batch)) as photos:
            stylized = self.network(photos).float()
            values = self.required_criterion(stylized, photos, network=self.network, number=number, share=share)
        return self.required_criterion.weighted(values)

    def validation_step(self, batch: Batch, index: int) -> None:
        self.held_out += self.figures(as_floats(batch), index)

    def figures(self, photos: Float[Tensor, "n 3 h w"], first: int = 0) -> list[dict[str, Tensor]]:
        """The held-out figures of each photo but the ratio; `first` is the number of the first photo."""
        return photo_by_photo(self.required_criterion, self.network, photos, self.painting)

    def on_validation_epoch_end(self) -> None:
        means = {name: torch.stack([each[name] for each in self.held_out]).mean() for name in self.held_out[0]}
        means = mean_over_ranks(means)
        self.held_out.clear()
        means["style_ratio"] = means["style"] / means["style_baseline"]
        self.log_dict({f"held_out/{name}": value for name, value in means.items()})

    def predict_step(self, batch: Batch, index: int) -> Float[Tensor, "b 3 h w"]:
        stylized: Tensor = self(batch)
        return stylized

    @property
    def required_criterion(self) -> PerceptualLoss:
        """The criterion. Raises `UserError` where none was given."""
        if self.criterion is None:
            raise UserError("a module without a criterion can only stylize: StyleTransferModule(network, criterion)")
        return self.criterion

    def learned(self) -> dict[float, Sequence[nn.Parameter]]:
        """All that learns, by the factor of the learning rate."""
        return {1.0: list(self.network.parameters())}

    def style_network(self) -> StyleNetwork:
        """The network as its style file holds it."""
        return self.network

    def set_steps(self, steps: int) -> None:
        """Sets the length of the rate schedule."""
        self.steps = self.hparams["steps"] = steps

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = make_optimizer(self.learned(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(rate_factor, steps=self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def make_optimizer(learned: Mapping[float, Sequence[nn.Parameter]], learning_rate: float) -> torch.optim.Adam:
    """Adam for parameters by the factor of the learning rate.

    Fused where that can skip a step on the device (`stylenet.training.callbacks.recovery`): not on MPS.
    """
    groups = [{"params": parameters, "lr": factor * learning_rate} for factor, parameters in learned.items()]
    fused = next(iter(learned.values()))[0].device.type in ("cpu", "cuda")
    optimizer = torch.optim.Adam(groups, lr=learning_rate, fused=fused)
    optimizer._step_supports_amp_scaling = False  # else Lightning refuses to clip its gradients
    return optimizer
