"""The Lightning module of many styles, or of a further style for a network of many (Dumoulin et al. 2017).

A batch mixes paintings: every photo is stylized by another one. A row of the table is what the predictor says of the
painting, and what the row differs from it: a painting has its turn too rarely to learn all of a row alone. Some
batches go without that difference, so that the predictor learns to do without (Ghiasi et al. 2017).
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from stylenet.device import to_device
from stylenet.evaluation.held_out import photo_by_photo
from stylenet.losses.terms import CYCLE
from stylenet.models.conditional import ConditionalNet
from stylenet.training.many_targets import Criteria
from stylenet.training.module import StyleTransferModule
from stylenet.training.step import Batch, as_floats, shown_photos

# Factors of the learning rate. A row has its turn once in a round of all paintings. The predictor's hidden values are
# sums over hundreds of inputs: at the full rate a step moved them by more than they vary, colors burned out and no
# style had strokes.
ROW_RATE, PREDICTOR_RATE = 3.0, 0.03
ALONE = 4  # of so many cycles of batches, one is for the predictor alone


class OneStyle(nn.Module):
    """A many-style network with the parameters of one style in hand, for terms that apply the network again."""

    def __init__(self, network: ConditionalNet, parameters: Float[Tensor, " p"]) -> None:
        super().__init__()
        self.network, self.of_style = network, parameters

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        return self.network.with_parameters(photos, self.of_style)


class ManyStylesModule(StyleTransferModule):
    """Fits a network of many styles to the criteria of their paintings.

    With the predictor's inputs for the paintings, the `statistics`, the network's table holds what its rows differ
    from what is predicted. With a row `added` (1, p) only that learns, and there is one painting. What stylizes
    several photos at once, or validates, takes another painting for each.
    """

    network: ConditionalNet
    statistics: Tensor | None

    def __init__(
        self,
        network: ConditionalNet,
        criteria: Criteria,
        statistics: Float[Tensor, "n s"] | None = None,
        added: nn.Parameter | None = None,
        seed: int = 0,
        **usual: Any,
    ) -> None:
        super().__init__(network, criteria.criterion, **usual)
        self.criteria, self.seed, self.added = criteria, seed, added
        self.register_buffer("statistics", statistics)  # in checkpoints: the network to start from had its encoder

    def learned(self) -> dict[float, Sequence[nn.Parameter]]:
        if self.added is not None:
            return {ROW_RATE: [self.added]}
        predictor = self.network.predictor
        groups = {1.0: list(self.network.layers.parameters()), ROW_RATE: [self.network.table]}
        return {**groups, PREDICTOR_RATE: list(predictor.parameters())} if predictor else {**groups}

    def parameters_of(self, styles: Int[Tensor, " b"], alone: bool = False) -> Float[Tensor, "b p"]:
        """The norm parameters of styles; `alone`, those that the predictor gives without the rows."""
        rows = (self.network.table if self.added is None else self.added)[styles]
        if self.network.predictor is None or self.statistics is None:
            return rows
        change = self.network.predictor.from_statistics(self.statistics[styles]).float()
        predicted = self.network.neutral + change
        return predicted if alone else predicted + rows

    def styles_of(self, number: int, photos: int) -> Int[Tensor, " b"]:
        """The styles of the photos of batch `number`."""
        return paintings_of(number, photos, len(self.criteria), self.seed)

    def forward(self, photos: Batch) -> Float[Tensor, "b 3 h w"]:
        styles = to_device(self.styles_of(0, len(photos)), self.network.table.device)
        return self.network.with_parameters(as_floats(photos), self.parameters_of(styles)).float()

    def weighted_losses(self, batch: Batch, number: int) -> dict[str, Tensor]:
        """The means over the photos of the weighted terms, each by the criterion of its painting."""
        chosen, each = self.styles_of(number, len(batch)), []
        styles = to_device(chosen, self.network.table.device)
        # By whole cycles, so that terms taken at every n-th batch meet both kinds of parameters.
        alone = number // CYCLE % ALONE == ALONE - 1
        with shown_photos(self.network, batch, self.flat_areas, number) as photos:
            parameters = self.parameters_of(styles, alone)
            stylized = self.network.with_parameters(photos, parameters).float()
            for index, style in enumerate(chosen.tolist()):
                criterion, one = self.criteria.of(style), OneStyle(self.network, parameters[index])
                part = slice(index, index + 1)
                each.append(criterion.weighted(criterion(stylized[part], photos[part], network=one, number=number)))
        return {name: torch.stack([values[name] for values in each]).mean() for name in each[0]}

    @torch.inference_mode()
    def figures(self, photos: Float[Tensor, "n 3 h w"], first: int = 0) -> list[dict[str, Tensor]]:
        found = []
        for number, photo in enumerate(photos, first):
            style = self.styles_of(number, 1)
            one = OneStyle(self.network, self.parameters_of(to_device(style, photos.device))[0])
            found += photo_by_photo(self.criteria.of(int(style)), one, photo[None])
        return found

    @torch.no_grad()
    def style_network(self) -> ConditionalNet:
        """The network with whole rows; in 16 bits, unless it had 32 before a style was added."""
        rows = self.parameters_of(torch.arange(len(self.criteria), device=self.network.table.device))
        if self.added is not None:
            halved = all(torch.equal(value, value.half().float()) for value in self.network.state_dict().values())
            larger = self.network.extended(rows[0])
            return larger.half() if halved else larger
        network = deepcopy(self.network)
        network.table.copy_(rows)
        return network.half()


def paintings_of(number: int, batch: int, count: int, seed: int) -> Int[Tensor, " b"]:
    """The indices of the paintings in batch `number`: all have had their turn before one comes again."""
    places = range(number * batch, (number + 1) * batch)
    seeds = {turn: (seed * 1_000_003 + turn) % 2**63 for turn in {place // count for place in places}}
    generators = {turn: torch.Generator().manual_seed(each) for turn, each in seeds.items()}
    orders = {turn: torch.randperm(count, generator=generator) for turn, generator in generators.items()}
    return torch.stack([orders[place // count][place % count] for place in places])
