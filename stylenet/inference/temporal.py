"""Video without flicker of contrast: instance norm that remembers the last frames, and forgets them at a cut.

Instance norm divides each frame by its own statistics, so whatever comes into view changes the whole image. Here each
instance norm uses a moving average of its mean and variance instead, as batch norm keeps one in training.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from stylenet.engines.network import EngineNetwork
from stylenet.errors import UserError
from stylenet.inference.settings import SMOOTHING
from stylenet.inference.styler import Styler, separate
from stylenet.inference.temporal_average import TemporalAverage
from stylenet.models.layers import InstanceNorm2d

# Of the histogram: two filmed clips change by 0.02 a frame at most, pans over seven photos by a fifth of the width a
# frame by 0.08 to 0.15, from one of these photos to another by 0.26 and more.
CUT = 0.15
BINS = 4  # a channel
SAMPLES = 64  # rows and columns that the histogram looks at

Stylize = Callable[[np.ndarray, float], np.ndarray]


class TemporalInstanceNorm(nn.Module):
    """Replaces an instance norm, with its scale and shift: normalizes a frame by statistics averaged over time."""

    def __init__(self, norm: InstanceNorm2d, frame_weight: Float[Tensor, ""]) -> None:
        super().__init__()
        self.frame_weight, self.eps, self.num_features = frame_weight, norm.eps, norm.num_features
        # In fp32 whatever the network is in: small steps towards the new frame would be lost in bf16.
        self.weight, self.bias = norm.weight.detach().float(), norm.bias.detach().float()
        # The variance as batch norm averages it, over one pixel less; instance norm divides by all.
        self.mean, self.variance = torch.zeros_like(self.bias), torch.ones_like(self.weight)

    def forward(self, x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
        mean, variance, scale, shift = self.mean, self.variance, self.weight, self.bias
        typed = with_fp32_statistics(x)
        # For the frame's statistics alone: no other way to those of bf16 is as fast on a CPU. A momentum that changed
        # from frame to frame would be a number, for each of which torch.compile compiles anew.
        new_mean, new_variance = torch.zeros_like(mean), torch.zeros_like(variance)
        F.batch_norm(typed, new_mean, new_variance, scale, shift, training=True, momentum=1.0)
        mean.lerp_(new_mean, self.frame_weight)
        variance.lerp_(new_variance, self.frame_weight)
        biased = self.biased(x.shape[-1] * x.shape[-2])
        return F.batch_norm(typed, mean, biased, scale, shift, eps=self.eps).to(x.dtype)

    def remember(self, mean: Float[Tensor, " c"], variance: Float[Tensor, " c"], pixels: int) -> None:
        """Moves the averages towards the statistics of a frame, as measured in strips: its mean and biased variance."""
        self.mean.lerp_(mean.to(self.mean), self.frame_weight)
        self.variance.lerp_((variance * (pixels / (pixels - 1))).to(self.variance), self.frame_weight)

    def biased(self, pixels: int) -> Float[Tensor, " c"]:
        """The averaged variance of a frame of so many pixels, divided by all of them."""
        return self.variance * ((pixels - 1) / pixels)


def with_fp32_statistics(x: Tensor) -> Tensor:
    """Features for a norm whose statistics are fp32; on Apple GPUs the two must be of one type, else torch aborts."""
    return x.float() if x.device.type == "mps" else x


@contextmanager
def temporal_statistics(network: nn.Module) -> Iterator[Float[Tensor, ""]]:
    """Swaps the network's instance norms for temporal ones while the block runs; frames go through one by one.

    Yields the weight of the next frame against those before it, to be filled in: 1 forgets them.
    """
    norms = {name: module for name, module in network.named_modules() if isinstance(module, InstanceNorm2d)}
    frame_weight = torch.ones((), device=next(network.parameters()).device)
    try:
        for name, norm in norms.items():
            network.set_submodule(name, TemporalInstanceNorm(norm, frame_weight))
        yield frame_weight
    finally:
        for name, norm in norms.items():
            network.set_submodule(name, norm)


class FrameWeight:
    """The weight of each frame, by the time since the last one; 1 after a cut.

    `smoothing`, in seconds, is the time in which what was remembered fades to 1/e.
    """

    def __init__(self, smoothing: float = SMOOTHING) -> None:
        self.smoothing = smoothing
        self.time = -math.inf
        self.histogram: np.ndarray | None = None

    def weight(self, frame: UInt8[np.ndarray, "h w 3"], time: float) -> float:
        """The weight of the frame shown at `time`, in seconds."""
        before, self.histogram = self.histogram, histogram(frame)
        since, self.time = time - self.time, time
        if before is None or changed_share(before, self.histogram) > CUT or since < 0:
            return 1.0
        return 1 - math.exp(-since / self.smoothing)


@contextmanager
def steady_stylizing(
    styler: Styler, smoothing: float = SMOOTHING
) -> Iterator[Callable[[np.ndarray, float], np.ndarray]]:
    """A function that stylizes the frames of one video, `h w 3` in bytes, each with its time in seconds.

    `smoothing` as in `FrameWeight`; 0 stylizes each frame by itself. Each frame travels to the device and back once.
    Statistics are kept in copies of the networks, so that the styler can be used for other clips and images meanwhile.
    Raises `UserError` for a network that another engine than PyTorch applies, unless `smoothing` is 0.
    """
    if not smoothing:
        yield lambda frame, time: styler.stylize(frame)
        return
    if engines := [network.engine.name for network in styler.networks if isinstance(network, EngineNetwork)]:
        raise UserError(f"the engine {engines[0]} has no temporal smoothing: it must be 0")
    styler = separate(styler)
    networks = nn.ModuleList(styler.networks)
    weights, average = FrameWeight(smoothing), TemporalAverage(next(networks.parameters()).device)
    with temporal_statistics(networks) as frame_weight:

        def stylize(frame: np.ndarray, time: float) -> np.ndarray:
            weight = weights.weight(frame, time)
            frame_weight.fill_(weight)
            pixels = average.pixels(frame)
            return average.array(average.mixed(pixels, styler.stylize(pixels), weight))

        yield stylize


def changed_share(before: np.ndarray, after: np.ndarray) -> float:
    """The share of the pixels that have another color; a pan by a tenth of the width changes at most a tenth."""
    return float(np.abs(before - after).sum() / 2)


def histogram(frame: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "64"]:
    """Shares of coarse colors, which sum to 1.

    A color between two bins counts in both, so that a sky that grows lighter by a level is no cut.
    """
    rows, columns = (np.linspace(0, side - 1, SAMPLES).astype(int) for side in frame.shape[:2])
    place = frame[rows[:, None], columns].reshape(-1, 3) * (BINS / 256) - 0.5  # bins have their centers at 0, 1, 2, 3
    lower = np.floor(place).astype(int)
    total = np.zeros(BINS**3)
    for corner in itertools.product((0, 1), repeat=3):
        weights = np.where(corner, place - lower, 1 - (place - lower)).prod(1)
        red, green, blue = (lower + corner).clip(0, BINS - 1).T
        total += np.bincount((red * BINS + green) * BINS + blue, weights, BINS**3)
    return total / len(place)
