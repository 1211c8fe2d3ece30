"""The image transformation network of Johnson et al. 2016, with instance norm (Ulyanov et al. 2016).

Differences from the paper, each for a reason the field agrees on:

- instance norm instead of batch norm: the result no longer depends on the photo's contrast;
- nearest-neighbor upsampling and a convolution instead of a transposed one: no checkerboard (Odena et al. 2016);
- reflection padding at every convolution instead of 40 px at the input: any size comes back at the same size;
- a sigmoid instead of a scaled tanh: the output lies in [0, 1], as every image in this package does.
"""

from torch import nn

from stylenet.models.layers import InstanceNorm2d, ReflectConv2d, ResidualBlock, convolution_norm_relu
from stylenet.models.network import OUTPUTS, NetworkSettings, StyleNetwork, initialize, parameter_count
from stylenet.models.plane_waves import PlaneWaves

__all__ = [
    "InstanceNorm2d",
    "NetworkSettings",
    "ReflectConv2d",
    "ResidualBlock",
    "TransformerNet",
    "initialize",
    "parameter_count",
]


class TransformerNet(StyleNetwork):
    """Downsampling, residual blocks at a quarter of the resolution, upsampling. Sides must be at least 16 px."""

    def __init__(self, settings: NetworkSettings = NetworkSettings()) -> None:
        super().__init__(settings)
        width = settings.width
        into_half, from_half = folded_layers(width) if settings.fold == 2 else convolution_layers(width)
        self.layers = nn.Sequential(
            *into_half,
            *into_quarter(width, settings.waves),
            *self.blocks(4 * width, settings.blocks),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *convolution_norm_relu(ReflectConv2d(4 * width, 2 * width, 3)),
            *from_half,
            OUTPUTS[settings.output](),
        )

    def blocks(self, channels: int, count: int) -> list[nn.Module]:
        """The layers at a quarter of the resolution, where most of the work is done."""
        return [ResidualBlock(channels) for _ in range(count)]


def into_quarter(width: int, waves: int) -> list[nn.Module]:
    """Layers from half to a quarter of the resolution; there the pattern is added, if there is one."""
    convolution, norm, relu = convolution_norm_relu(ReflectConv2d(2 * width, 4 * width, 3, stride=2))
    # Within one layer, so that all others have the same names with and without it.
    return [convolution, norm, nn.Sequential(relu, PlaneWaves(4 * width, waves)) if waves else relu]


def convolution_layers(width: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """Layers from pixels to half resolution and back, as in the paper."""
    into_half = [
        *convolution_norm_relu(ReflectConv2d(3, width, 9)),
        *convolution_norm_relu(ReflectConv2d(width, 2 * width, 3, stride=2)),
    ]
    from_half = [
        nn.Upsample(scale_factor=2, mode="nearest"),
        *convolution_norm_relu(ReflectConv2d(2 * width, width, 3)),
        ReflectConv2d(width, 3, 9),
    ]
    return into_half, from_half


def folded_layers(width: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """Layers from pixels to half resolution and back by folding: 2x2 pixels of 3 colors are 12 channels."""
    into_half = [nn.PixelUnshuffle(2), *convolution_norm_relu(ReflectConv2d(12, 2 * width, 3))]
    return into_half, [ReflectConv2d(2 * width, 12, 3), nn.PixelShuffle(2)]
