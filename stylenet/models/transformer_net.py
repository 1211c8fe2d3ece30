"""The image transformation network of Johnson et al. 2016, with instance norm (Ulyanov et al. 2016).

Differences from the paper, each for a reason the field agrees on:

- instance norm instead of batch norm: the result no longer depends on the photo's contrast;
- nearest-neighbor upsampling and a convolution instead of a transposed one: no checkerboard (Odena et al. 2016);
- reflection padding at every convolution instead of 40 px at the input: any size comes back at the same size;
- a sigmoid instead of a scaled tanh: the output lies in [0, 1], as every image in this package does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.errors import UserError

MINIMUM_SIDE = 16  # pixels; below it the reflections inside the network would need more pixels than there are
STRIDE = 4  # the two downsampling convolutions together
# What the last convolution's numbers become.
OUTPUTS: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "linear": partial(nn.Hardtanh, 0.0, 1.0)}


@dataclass(frozen=True)
class NetworkSettings:
    """The form of a `TransformerNet`: everything but its weights.

    `width` is the number of channels at full resolution (doubled at each downsampling), `blocks` the number of
    residual blocks. With `fold` 2 nothing is computed at full resolution: squares of 2x2 pixels are folded into
    channels at the input and unfolded at the output (Shi et al. 2016), in place of the outermost convolutions.
    `output` is `sigmoid`, or `linear` for networks trained elsewhere: theirs is cut off at 0 and 1, and their photos
    are not brought to a multiple of the stride first.
    """

    width: int = 32
    blocks: int = 5
    fold: int = 1
    output: str = "sigmoid"

    def __post_init__(self) -> None:
        if self.fold > 2:
            raise UserError(f"network.fold must be 1 or 2, got {self.fold}")
        for name in ("width", "blocks", "fold"):
            if getattr(self, name) < 1:
                raise UserError(f"network.{name} must be at least 1, got {getattr(self, name)}")
        if self.output not in OUTPUTS:
            raise UserError(f"network.output must be one of {', '.join(OUTPUTS)}, got {self.output}")
        if self.output == "linear" and self.fold > 1:
            raise UserError("network.output=linear needs network.fold=1")


class ReflectConv2d(nn.Conv2d):
    """A convolution that keeps height and width (over `stride`), by reflection at the border."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride)
        self.reach = [size // 2] * 4

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d p q"]:
        with torch.autocast(x.device.type, enabled=False):  # which would take x to fp32 for the reflection, and back
            padded = F.pad(x, self.reach, mode="reflect")
        return F.conv2d(padded, self.weight, self.bias, self.stride)


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm with learned scale and shift.

    PyTorch's own brings a picture into another memory layout first. For a single picture batch norm is the same and
    leaves the layout alone; together with the reflection above that made a forward pass twice as fast on a CPU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        if len(x) == 1:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        normalized: Tensor = super().forward(x)
        return normalized


def normalized(convolution: nn.Conv2d) -> list[nn.Module]:
    """A convolution, its instance norm and its ReLU."""
    return [convolution, InstanceNorm2d(convolution.out_channels), nn.ReLU()]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around which the input passes; no ReLU after the sum (Gross & Wilber 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = ReflectConv2d(channels, channels, 3), ReflectConv2d(channels, channels, 3)
        self.branch = nn.Sequential(*normalized(first), *normalized(second)[:2])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        sum_: Tensor = x + self.branch(x)
        return sum_


def convolved(width: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """From pixels to half resolution and back, as in the paper."""
    into_half = [
        *normalized(ReflectConv2d(3, width, 9)),
        *normalized(ReflectConv2d(width, 2 * width, 3, stride=2)),
    ]
    from_half = [
        nn.Upsample(scale_factor=2, mode="nearest"),
        *normalized(ReflectConv2d(2 * width, width, 3)),
        ReflectConv2d(width, 3, 9),
    ]
    return into_half, from_half


def folded(width: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """The same by folding: 2x2 pixels of 3 colors are 12 channels."""
    into_half = [nn.PixelUnshuffle(2), *normalized(ReflectConv2d(12, 2 * width, 3))]
    return into_half, [ReflectConv2d(2 * width, 12, 3), nn.PixelShuffle(2)]


class TransformerNet(nn.Module):
    """Maps photos to stylized pictures of the same height and width.

    Input and output are RGB in [0, 1]. Sides must be at least 16 px.
    """

    def __init__(self, settings: NetworkSettings = NetworkSettings()) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        into_half, from_half = folded(width) if settings.fold == 2 else convolved(width)
        self.layers = nn.Sequential(
            *into_half,
            *normalized(ReflectConv2d(2 * width, 4 * width, 3, stride=2)),
            *(ResidualBlock(4 * width) for _ in range(settings.blocks)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *normalized(ReflectConv2d(4 * width, 2 * width, 3)),
            *from_half,
            OUTPUTS[settings.output](),
        )

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        height, width = photos.shape[-2:]
        check_sides(height, width)
        stride = 1 if self.settings.output == "linear" else STRIDE  # elsewhere, strides just round up
        padded = F.pad(photos, (0, -width % stride, 0, -height % stride), mode="reflect")
        stylized: Tensor = self.layers(padded)
        return stylized[..., :height, :width]


def check_sides(height: int, width: int) -> None:
    """Raises `UserError` for a picture that is too small for a `TransformerNet`."""
    if min(height, width) < MINIMUM_SIDE:
        raise UserError(f"a picture must be at least {MINIMUM_SIDE} px wide and high, got {width} x {height}")


def parameter_count(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def initialize(network: TransformerNet, seed: int) -> TransformerNet:
    """Draws the network's first weights from `seed` alone, in place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.InstanceNorm2d):
                module.reset_parameters()
    return network
