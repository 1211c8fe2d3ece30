"""The base of all networks: settings, sizes, and application to photos of any size."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.errors import UserError
from stylenet.models.layers import pad_by_reflection
from stylenet.models.limits import MOST_BLACK
from stylenet.models.luminance import deepen_blacks

# What the last convolution's numbers become.
OUTPUTS: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "linear": partial(nn.Hardtanh, 0.0, 1.0)}
# Settings that came later, and what a card without them means.
LATER = {"architecture": "transformer", "styles": 1, "predictor": 0, "waves": 0, "margin": 0, "black": 0}

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class NetworkSettings:
    """The architecture of a network and its size: everything but its weights.

    `width` is the number of channels at full resolution (doubled at each downsampling), `blocks` the number of
    residual blocks. With `fold` 2 nothing is computed at full resolution: squares of 2x2 pixels are folded into
    channels at the input and unfolded at the output (Shi et al. 2016), in place of the outermost convolutions.
    `output` is `sigmoid`, or `linear` for imported networks: their output is clipped to [0, 1], and their input is not
    padded to a multiple of the stride. `architecture` is a key of `stylenet.models.registry.NETWORKS`;
    `styles` the number of paintings that the network has learned, and `predictor` the width of the layer that predicts
    the parameters of others (0: none). Both are for `conditional` alone. `waves` is the number of plane waves in the
    pattern that flat areas are filled along (`stylenet.models.plane_waves`; 0: none). `margin`:
    pixels of reflection padding, 0 to 12, that are cropped from the result; without it, networks draw a frame at the
    border. `black`: the luminance, 0 to 38 of 255, that is moved to 0 in results; measured after the training.
    """

    width: int = 32
    blocks: int = 5
    fold: int = 1
    output: str = "sigmoid"
    architecture: str = "transformer"
    styles: int = 1
    predictor: int = 0
    waves: int = 0
    margin: int = 0
    black: int = 0

    def __post_init__(self) -> None:
        if self.fold > 2:
            raise UserError(f"a network's fold must be 1 or 2, got {self.fold}")
        for name in ("width", "blocks", "fold", "styles"):
            if getattr(self, name) < 1:
                raise UserError(f"a network's {name} must be at least 1, got {getattr(self, name)}")
        for name in ("predictor", "waves", "margin", "black"):
            if getattr(self, name) < 0:
                raise UserError(f"a network's {name} must be 0 or more, got {getattr(self, name)}")
        if self.margin > 12:  # with a stride, reflections of the smallest photos would need more pixels than there are
            raise UserError(f"a network's margin must be at most 12, got {self.margin}")
        if self.black > MOST_BLACK:
            raise UserError(f"a network's black must be at most {MOST_BLACK}, got {self.black}")
        if self.waves > 64:  # each costs memory for every pixel
            raise UserError(f"a network's waves must be at most 64, got {self.waves}")
        if self.output not in OUTPUTS:
            raise UserError(f"a network's output must be one of {', '.join(OUTPUTS)}, got {self.output}")
        if self.output == "linear" and self.fold > 1:
            raise UserError("a network with linear output has no folding: fold must be 1")

    def single_style(self) -> "NetworkSettings":
        """The settings of a network of one of the styles alone."""
        return replace(self, architecture="transformer", styles=1, predictor=0)

    def values(self) -> dict[str, Any]:
        """The settings as plain values. Those that came later are left out where they have no effect."""
        return {name: value for name, value in asdict(self).items() if LATER.get(name) != value}


class StyleNetwork(nn.Module):
    """A network that maps photos to stylized images of the same height and width: the base of all architectures.

    A subclass sets `self.layers`, from RGB to RGB at the same size. Input and output are RGB in [0, 1].
    """

    stride = 4  # pixels: heights and widths are brought to multiples of it, and strips begin at them
    minimum_side = 16  # pixels; below it the reflections inside the network would need more pixels than there are
    layers: nn.Module

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings

    def padding(self, height: int, width: int) -> tuple[int, int, int, int]:
        """How far a photo is extended by reflection, in pixels: left, right, above and below."""
        margin = self.settings.margin
        if self.settings.output == "linear":  # elsewhere, strides just round up
            return (margin,) * 4
        below, right = (margin + -(side + 2 * margin) % self.stride for side in (height, width))
        return margin, right, margin, below

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Stylizes photos, RGB in [0, 1]; the result too. Raises `UserError` for sides below `minimum_side`."""
        return self.at_any_size(photos, self.layers)

    def at_any_size(
        self, photos: Float[Tensor, "b 3 h w"], layers: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "b 3 h w"]:
        """Applies layers that need heights and widths in whole strides. Raises `UserError` for too small photos."""
        height, width = photos.shape[-2:]
        check_sides(self, height, width)
        left, right, above, below = self.padding(height, width)
        stylized = layers(pad_by_reflection(photos, (left, right, above, below)))
        return self.finish(stylized[..., above : above + height, left : left + width])

    def finish(self, stylized: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """What becomes of the layers' result, or of a part of it, once it is cropped: black where it is darkest."""
        return deepen_blacks(stylized, self.settings.black)


def check_sides(network: nn.Module, height: int, width: int) -> None:
    """Raises `UserError` for an image that is too small for the network."""
    least = getattr(network, "minimum_side", 1)
    if min(height, width) < least:
        raise UserError(f"an image must be at least {least} px wide and high, got {width} x {height}")


def parameter_count(network: nn.Module) -> int:
    """The number of values that the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def initialize(network: Network, seed: int) -> Network:
    """Draws the network's first weights from `seed` alone, in place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.InstanceNorm2d | nn.Linear):
                module.reset_parameters()
    return network
