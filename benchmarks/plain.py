"""The forward pass that others run: the network of pytorch/examples' `fast_neural_style`, eager, fp32, contiguous.

The same layers as in its `neural_style/transformer_net.py`: `ReflectionPad2d` before each convolution, `InstanceNorm2d`
with scale and shift, nearest-neighbor upsampling, no sigmoid at the end. Random weights: time does not depend on them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def padded(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.ReflectionPad2d(size // 2), nn.Conv2d(inputs, outputs, size, stride))


def norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = padded(channels, channels, 3), padded(channels, channels, 3)
        self.first_norm, self.second_norm = norm(channels), norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second_norm(self.second(F.relu(self.first_norm(self.first(x))))) + x
        return result


class Upsampled(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = padded(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.convolution(F.interpolate(x, mode="nearest", scale_factor=2))
        return result


def plain_network() -> nn.Module:
    """Maps RGB to RGB, `b 3 h w`; sides must be multiples of 4."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(padded(3, 32, 9), norm(32), nn.ReLU()),
        *(padded(32, 64, 3, 2), norm(64), nn.ReLU()),
        *(padded(64, 128, 3, 2), norm(128), nn.ReLU()),
        *(Residual(128) for _ in range(5)),
        *(Upsampled(128, 64), norm(64), nn.ReLU()),
        *(Upsampled(64, 32), norm(32), nn.ReLU()),
        padded(32, 3, 9),
    ).eval()
