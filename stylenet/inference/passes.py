"""A network cut at its instance norms into passes, each of which goes through the image strip by strip.

An instance norm needs the mean and variance of the whole image before it can give its first row; what comes between
two norms needs no more than a few rows above and below. So each pass measures what arrives at the next norm. That is
kept for the pass after it where it is smaller than the image; at the image's own resolution it is computed again,
as its channels take more room there than the convolutions before them take time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain
from math import ceil
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.inference.spill import Slot, SpillBuffer
from stylenet.inference.temporal import TemporalInstanceNorm, with_fp32_statistics
from stylenet.models.layers import InstanceNorm2d, ReflectConv2d, ResidualBlock, pad_by_reflection
from stylenet.models.network import StyleNetwork
from stylenet.models.plane_waves import PlaneWaves

Strip: TypeAlias = Float[Tensor, "1 c _n _w"]


class UncuttableError(TypeError):
    """A layer that cannot be applied to strips of an image."""


@dataclass(frozen=True)
class Features:
    """Features of the whole image: strips of them from top to bottom, whenever they are asked for.

    `strips(True)` asks for the last time: what was kept for them is dropped on the way. Their height and width
    are the image's over `scale`; they take `work` multiplications for each pixel of the image.
    """

    strips: Callable[[bool], Iterator[Strip]]
    channels: int
    scale: float = 1.0
    work: float = 0.0

    @property
    def density(self) -> float:
        """Numbers for each pixel of the image."""
        return self.channels / self.scale**2

    def then(self, layer: Callable[[Iterator[Strip]], Iterator[Strip]]) -> "Features":
        """The features behind a layer that takes and gives strips."""
        return replace(self, strips=lambda last: layer(self.strips(last)))


class Norm:
    """An instance norm that measures all strips of an image, in at least fp32, and is then applied to them.

    Means and variances are merged as by Chan et al. 1979, in place. Kept for each strip, such small tensors would
    lie where large ones were and come again: at 400 megapixels that took 2 GB more.
    """

    def __init__(self, layer: InstanceNorm2d | TemporalInstanceNorm) -> None:
        self.layer = layer
        self.pixels, self.remembered = 0, False
        self.mean, self.variance = torch.zeros(2, layer.num_features, dtype=torch.float64)

    def measure(self, strip: Strip) -> None:
        mean, variance = strip.new_zeros(2, strip.shape[1], dtype=self._dtype)
        typed = with_fp32_statistics(strip)
        F.batch_norm(typed, mean, variance, training=True, momentum=1)  # the fastest way, seven times before var_mean
        pixels = strip[0, 0].numel()
        self.pixels += pixels
        share = pixels / self.pixels
        change = mean.cpu() - self.mean
        within = variance.cpu() * ((pixels - 1) / pixels)  # batch norm divides by one pixel less
        self.variance += share * (within - self.variance + (1 - share) * change.square())
        self.mean += share * change

    def apply(self, strips: Iterator[Strip]) -> Iterator[Strip]:
        layer = self.layer
        mean, variance, weight, bias = (
            value.to(layer.weight.device, self._dtype) for value in (*self._statistics(), layer.weight, layer.bias)
        )

        def normalize(strip: Strip) -> Strip:
            typed = with_fp32_statistics(strip)
            return F.batch_norm(typed, mean, variance, weight, bias, eps=layer.eps).to(strip.dtype)

        return map(normalize, strips)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and variance to normalize by: the image's own, or those averaged over time, once it has gone in."""
        if not isinstance(self.layer, TemporalInstanceNorm):
            return self.mean, self.variance
        if not self.remembered:
            self.layer.remember(self.mean, self.variance, self.pixels)
            self.remembered = True
        return self.layer.mean, self.layer.biased(self.pixels)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.promote_types(self.layer.weight.dtype, torch.float32)


class SpilledFeatures:
    """Strips on a buffer, which can be had until they were asked for the last time."""

    def __init__(self, buffer: SpillBuffer) -> None:
        self.buffer = buffer
        self.places: list[Slot] = []

    def append(self, strip: Strip) -> None:
        self.places.append(self.buffer.put(strip))

    def strips(self, last: bool) -> Iterator[Strip]:
        places, self.places = self.places, [] if last else self.places
        for place in places:
            strip = self.buffer.get(place)
            if last:
                self.buffer.drop(place)
            yield strip


@dataclass(frozen=True)
class Pass:
    """Once through the image: what comes is measured for a norm, kept, or both."""

    features: Features
    norm: Norm | None = None
    kept: SpilledFeatures | None = None
    last: bool = False

    def run(self) -> Iterator[Strip]:
        for strip in self.features.strips(self.last):
            if self.norm is not None:
                self.norm.measure(strip)
            if self.kept is not None:
                self.kept.append(strip)
            yield strip


class Plan:
    """The passes that layers need, in their order; the last one gives the output.

    `widest` counts the numbers for each pixel of the image at the widest convolution: its input, the same with a
    border, and its output. `least` is the fewest rows of the image that a strip may have, in whole strides.
    Raises `UncuttableError` for a layer that it does not know how to cut.
    """

    def __init__(
        self, layers: nn.Module, picture: Features, buffer: SpillBuffer, stride: int = StyleNetwork.stride
    ) -> None:
        self.buffer, self.stride = buffer, stride
        self.passes: list[Pass] = []
        self.widest, self.least = 0.0, 0
        self.passes.append(Pass(self._through(picture, layers), last=True))

    def _through(self, features: Features, layer: nn.Module) -> Features:
        match layer:
            case nn.Sequential():
                return reduce(self._through, layer, features)
            case ReflectConv2d():
                return self._convolved(features, layer)
            case InstanceNorm2d() | TemporalInstanceNorm():
                norm = Norm(layer)
                return self._passed(features, norm).then(norm.apply)
            case ResidualBlock():
                return self._around(features, layer.branch)
            case nn.Upsample(mode="nearest", scale_factor=float(factor)):
                return replace(features.then(partial(map, layer)), scale=features.scale / factor)
            case nn.PixelUnshuffle(downscale_factor=fold):
                folded = features.then(partial(map, layer))
                return replace(folded, channels=features.channels * fold**2, scale=features.scale * fold)
            case nn.PixelShuffle(upscale_factor=fold):
                unfolded = features.then(partial(map, layer))
                return replace(unfolded, channels=features.channels // fold**2, scale=features.scale / fold)
            case PlaneWaves():
                return features.then(partial(add_plane_waves, layer))
            case nn.ReLU() | nn.Sigmoid() | nn.Hardtanh():
                return features.then(partial(map, layer))
        raise UncuttableError(f"no way is known to apply {layer} in strips")

    def _convolved(self, features: Features, layer: ReflectConv2d) -> Features:
        scale = features.scale * layer.stride[0]
        result = replace(features.then(partial(convolve_strips, layer)), channels=layer.out_channels, scale=scale)
        self.widest = max(self.widest, 2 * features.density + result.density)
        self.least = max(self.least, ceil(features.scale * (layer.reach[0] + 1) / self.stride) * self.stride)
        return replace(result, work=features.work + layer.weight[0].numel() * result.density)

    def _passed(self, features: Features, norm: Norm | None = None) -> Features:
        """The same features after a pass; they come from the buffer if they are smaller than the image."""
        kept = SpilledFeatures(self.buffer) if features.scale > 1 else None
        if norm or kept:
            self.passes.append(Pass(features, norm, kept, last=kept is not None))
        return Features(kept.strips, features.channels, features.scale) if kept else features

    def _around(self, features: Features, branch: nn.Module) -> Features:
        around = self._passed(features)
        inside = self._through(replace(around, strips=lambda last: around.strips(False)), branch)
        both = replace(inside, work=around.work + inside.work)
        # The branch is first, as it reads ahead of what then goes around it, and maybe off the buffer.
        return replace(both, strips=lambda last: map(torch.add, inside.strips(last), around.strips(last)))


def convolve_strips(layer: ReflectConv2d, strips: Iterator[Strip]) -> Iterator[Strip]:
    """A convolution, strip by strip: `map`, unlike a loop, holds no strip while others work on it."""
    convolve = partial(F.conv2d, weight=layer.weight, bias=layer.bias, stride=layer.stride, dilation=layer.dilation)
    return map(convolve, with_border_rows(strips, layer.reach[0]))


def add_plane_waves(layer: PlaneWaves, strips: Iterator[Strip]) -> Iterator[Strip]:
    """Each strip with the rows of the pattern that belong to it."""
    first = 0
    for strip in strips:
        rows = strip.shape[2]
        yield layer(strip, first)
        first += rows


def with_border_rows(strips: Iterator[Strip], reach: int) -> Iterator[Strip]:
    """Each strip with `reach` rows of those above and below it, and reflected at the border of the image."""
    above, strip = None, next(strips)
    for below in chain(strips, [None]):
        yield _with_border_rows(above, strip, below, reach)
        if below is not None:
            above = strip[:, :, strip.shape[2] - reach :].clone()  # a view would keep the whole strip in memory
            strip = below


def _with_border_rows(above: Strip | None, strip: Strip, below: Strip | None, reach: int) -> Strip:
    result = pad_by_reflection(strip, [reach] * 4)
    if above is not None:
        result[:, :, :reach] = F.pad(above, (reach, reach, 0, 0), mode="reflect")
    if below is not None:
        result[:, :, result.shape[2] - reach :] = F.pad(below[:, :, :reach], (reach, reach, 0, 0), mode="reflect")
    return result
