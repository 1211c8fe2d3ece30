"""Several styles at once: the mean of their images, or one on each side of a mask."""

from collections.abc import Iterable, Sequence
from copy import copy
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.errors import UserError
from stylenet.inference.brush import apply_controls
from stylenet.inference.mask import Mask
from stylenet.inference.painter import Painter
from stylenet.inference.settings import Brush, check_weights, number
from stylenet.inference.strips import Progress
from stylenet.inference.stylizer import Stylizer
from stylenet.models.conditional import interpolate_networks


class Blend(Painter):
    """A weighted mean of what several styles make of a photo; their weights are divided by their sum.

    Costs as much as the styles one after the other, but for styles of one network of many, whose norm parameters are
    averaged instead: they cost as much as one. Two styles of equal weight and a mask: the first takes its white
    side, the second its black one. The brush comes after the mixing: to its colors and strength a blend is one
    image. Raises `UserError` for weights that aren't above 0, or have no effect.
    """

    def __init__(self, parts: Iterable[tuple[Painter, float]]) -> None:
        parts = list_of_parts(parts)
        weights = [number(weight, "a style's weight") for _, weight in parts]
        check_weights(weights)
        self.painters = [painter for painter, _ in parts]
        self.weights = [weight / sum(weights) for weight in weights]
        self.passes = in_few_passes(list(zip(self.painters, self.weights, strict=True)))
        self.device = self.painters[0].device

    @property
    def networks(self) -> list[nn.Module]:
        painters = dict.fromkeys([*self.painters, *(painter for painter, _ in self.passes)])
        return [network for painter in painters for network in painter.networks]

    def separate(self) -> "Blend":
        painters = {each: each.separate() for each in [*self.painters, *(painter for painter, _ in self.passes)]}
        other = copy(self)
        other.painters = [painters[painter] for painter in self.painters]
        other.passes = [(painters[painter], weight) for painter, weight in self.passes]
        return other

    def check(self) -> None:
        for painter in self.painters:
            painter.check()

    def paint(self, pixels: Tensor, stroke: float = 1.0) -> Float[Tensor, "b 3 h w"]:
        photos = self._photos(pixels)
        mean = torch.zeros_like(photos)
        for painter, weight in self.passes:
            mean += weight * painter.paint(photos, stroke).to(mean.device)
        return mean

    def watch(self, progress: Progress) -> None:
        """The rows of all styles together, as an image goes through them one after the other."""
        for painters in (self.painters, [painter for painter, _ in self.passes]):
            for place, painter in enumerate(painters):
                painter.watch(partial(_share, progress, place, len(painters)))

    def _brushed(self, pixels: Tensor, brush: Brush, mask: Mask | None) -> Float[Tensor, "b 3 h w"]:
        if mask is None or len(self.painters) != 2:
            return super()._brushed(pixels, brush, mask)
        check_weights(self.weights, masked=True)
        photos = self._photos(pixels)
        side = self._fitted(mask, photos)
        white, black = (painter.paint(photos, brush.stroke).to(self.device) for painter in self.painters)
        return apply_controls(photos, torch.lerp(black, white, side), brush)


def _share(progress: Progress, place: int, count: int, done: int, of: int) -> None:
    progress(place * of + done, count * of)


def in_few_passes(parts: Sequence[tuple[Painter, float]]) -> list[tuple[Painter, float]]:
    """The parts, with those that differ in norm parameters alone made one, which has the sum of their weights."""
    groups: list[list[tuple[Painter, float]]] = []
    for part in parts:
        group = next((group for group in groups if _mixed([*group, part]) is not None), None)
        if group is None:
            groups.append([part])
        else:
            group.append(part)
    painters = [_mixed(group) if len(group) > 1 else group[0][0] for group in groups]
    weights = [sum(weight for _, weight in group) for group in groups]
    return [(painter, weight) for painter, weight in zip(painters, weights, strict=True) if painter]


def _mixed(parts: Sequence[tuple[Painter, float]]) -> Painter | None:
    """One stylizer for all parts, if their networks can be one."""
    painters = [painter for painter, _ in parts if isinstance(painter, Stylizer)]
    if len(painters) < len(parts):
        return None
    network = interpolate_networks([painter.plain for painter in painters], [weight for _, weight in parts])
    return None if network is None else painters[0].with_network(network)


def list_of_parts(parts: Any) -> list[Any]:
    """The parts of a blend. Raises `UserError` for anything but pairs of a stylizer and a number."""
    if not isinstance(parts, Iterable):
        raise UserError(f"a blend is a list of pairs (stylizer, weight), got {parts!r:.80}")
    listed = list(parts)
    check_parts(listed)
    return listed


def check_parts(parts: Sequence[Any]) -> None:
    """Raises `UserError` for anything but pairs of a stylizer and a number."""
    for part in parts:
        pair = part if isinstance(part, tuple | list) and len(part) == 2 else (None, None)
        if not (isinstance(pair[0], Painter) and hasattr(pair[1], "__float__")):
            raise UserError(f"a blend is a list of pairs (stylizer, weight), got {part!r:.80}")
