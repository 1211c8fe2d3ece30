"""Predicts norm parameters for a painting that a many-style network has not learned (Ghiasi et al. 2017).

The painting is described by the means and standard deviations of VGG19's first features, which cost milliseconds; two
linear layers make parameters of them, standardized over the paintings of the training. VGG19's weights up to relu3_1
come with the network, so that nothing is fetched.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

# Channels in and out.
CONVOLUTIONS = {
    "conv1_1": (3, 64),
    "conv1_2": (64, 64),
    "conv2_1": (64, 128),
    "conv2_2": (128, 128),
    "conv3_1": (128, 256),
}
DESCRIBED = ("conv1_1", "conv2_1", "conv3_1")  # after their ReLU
STATISTICS = 2 * sum(CONVOLUTIONS[name][1] for name in DESCRIBED)
SIDE = 256  # pixels, the painting's short side
FARTHEST = 3.0  # standard deviations: no painting is described as farther from those of the training


class Encoder(nn.Module):
    """VGG19 up to relu3_1, never trained: its weights are buffers."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))
        for name, (inputs, outputs) in CONVOLUTIONS.items():
            self.register_buffer(f"{name}_weight", torch.zeros(outputs, inputs, 3, 3))
            self.register_buffer(f"{name}_bias", torch.zeros(outputs))

    def take(self, convolutions: Mapping[str, tuple[Tensor, Tensor]], mean: Tensor, std: Tensor) -> None:
        """Takes over VGG19's weights by the names of its layers, and the normalization of their input."""
        self.mean.copy_(mean)
        self.std.copy_(std)
        for name in CONVOLUTIONS:
            for kind, value in zip(("weight", "bias"), convolutions[name], strict=True):
                self.get_buffer(f"{name}_{kind}").copy_(value)

    @torch.no_grad()
    def forward(self, paintings: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b s"]:
        """The paintings' statistics. Paintings are RGB in [0, 1]."""
        x = (paintings - self.mean[:, None, None]) / self.std[:, None, None]
        found = []
        for name in CONVOLUTIONS:
            if name in ("conv2_1", "conv3_1"):
                x = F.max_pool2d(x, 2)
            x = F.conv2d(x, self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias"), padding=1).relu()
            if name in DESCRIBED:
                found += [x.mean((2, 3)), x.std((2, 3))]
        return torch.cat(found, 1)


class Head(nn.Linear):
    """A linear layer that predicts nothing at first."""

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Predictor(nn.Module):
    """Maps paintings to norm parameters, less the neutral ones. `width` is that of the hidden layer."""

    center: Tensor
    spread: Tensor

    def __init__(self, width: int, parameters: int) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.register_buffer("center", torch.zeros(STATISTICS))
        self.register_buffer("spread", torch.ones(STATISTICS))
        self.hidden, self.head = nn.Linear(STATISTICS, width), Head(width, parameters)

    def forward(self, paintings: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b p"]:
        return self.from_statistics(self.encoder(paintings))

    def from_statistics(self, statistics: Float[Tensor, "b s"]) -> Float[Tensor, "b p"]:
        """Norm parameters from the encoder's statistics, which training computes once for each."""
        standardized = ((statistics - self.center) / self.spread).clamp(-FARTHEST, FARTHEST)
        predicted: Tensor = self.head(self.hidden(standardized).relu())
        return predicted

    def standardize(self, statistics: Float[Tensor, "n s"]) -> None:
        """Takes over mean and standard deviation of the paintings of a training."""
        self.center.copy_(statistics.mean(0))
        self.spread.copy_(statistics.std(0).clamp_min(1e-3))
