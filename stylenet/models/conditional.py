"""One network for many paintings: conditional instance norm (Dumoulin et al. 2017).

All paintings share the convolutions; each has scales and shifts of its own at the instance norms, a row of one table. A
row folded into the norms is an ordinary `TransformerNet`, so everything that works with one painting's network works
with each style of this one, and with each weighted mean of rows, in one pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from stylenet.errors import UserError
from stylenet.models.layers import InstanceNorm2d, ResidualBlock, instance_norm
from stylenet.models.network import NetworkSettings, StyleNetwork
from stylenet.models.predictor import Predictor
from stylenet.models.transformer_net import TransformerNet

Weights = Sequence[int | float] | Float[Tensor, "*b styles"]
Style = int | np.integer[Any] | Int[Tensor, " b"] | Weights


class ConditionalNorm(nn.Module):
    """An instance norm whose scale and shift are given with the images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Float[Tensor, "b c h w"], scale: Tensor, shift: Tensor) -> Float[Tensor, "b c h w"]:
        return instance_norm(x, scale, shift)


class ConditionalNet(StyleNetwork):
    """A transformer network with a table of norm parameters, a row for each style.

    A row holds, for one norm after another, the scales of its channels and then their shifts.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)
        self.single = settings.single_style()
        self.layers = TransformerNet(self.single).layers
        norms = [(name, norm) for name, norm in self.named_modules() if isinstance(norm, InstanceNorm2d)]
        for name, norm in norms:
            self.set_submodule(name, ConditionalNorm(norm.num_features))
        self.table = nn.Parameter(neutral(self.channels).repeat(settings.styles, 1))
        self.predictor = Predictor(settings.predictor, self.table.shape[1]) if settings.predictor else None

    @property
    def channels(self) -> list[int]:
        """The number of channels of each norm, in the order in which they are applied."""
        return [module.channels for module in self.modules() if isinstance(module, ConditionalNorm)]

    def forward(self, photos: Float[Tensor, "b 3 h w"], style: Style | None = None) -> Float[Tensor, "b 3 h w"]:
        """The photos in a style: by its number, or a mean of all by weights; or one of either for each photo.

        A number, or a tensor of whole numbers, chooses; a list is weights, also one of whole numbers.
        """
        if style is None:
            raise UserError("a network of many styles needs a style: its number, or a weight for each")
        return self.with_parameters(photos, self.parameters_of(style))

    def with_parameters(
        self, photos: Float[Tensor, "b 3 h w"], parameters: Float[Tensor, "*b p"]
    ) -> Float[Tensor, "b 3 h w"]:
        """The photos by norm parameters that need not be in the table: one row for all, or one for each photo."""
        return self.at_any_size(photos, lambda padded: _through(self.layers, padded, self._pairs(parameters)))

    def parameters_of(self, style: Style) -> Float[Tensor, "*b p"]:
        """The row of a style, or the mean of rows by weights, which are divided by their sum. Raises `UserError`."""
        styles = self.settings.styles
        if isinstance(style, Tensor) and not style.is_floating_point():
            check_numbers(style, styles)
            return self.table[style]
        if isinstance(style, int | np.integer):
            if not 0 <= style < styles:
                raise UserError(f"the styles have the numbers 0 to {styles - 1}, got {style}")
            return self.table[int(style)]
        weights = weights_of(style).to(self.table.dtype)
        check_weights(weights, styles)
        weights = weights.to(self.table.device)
        return torch.matmul(weights / weights.sum(-1, keepdim=True), self.table)

    def selected(self, style: int | np.integer[Any] | Sequence[int | float]) -> TransformerNet:
        """The ordinary network of one style, or of a mean of styles."""
        return self.folded(self.parameters_of(style))

    def folded(self, parameters: Float[Tensor, " p"]) -> TransformerNet:
        """The ordinary network with these norm parameters; its convolutions are this one's, not copies."""
        with torch.device("meta"):
            network = TransformerNet(self.single)
        state = self.layers.state_dict(prefix="layers.")
        names = [name for name, module in self.named_modules() if isinstance(module, ConditionalNorm)]
        for name, (scale, shift) in zip(names, self._pairs(parameters.detach()), strict=True):
            state |= {f"{name}.weight": scale.clone(), f"{name}.bias": shift.clone()}
        network.load_state_dict(state, assign=True)
        return network.requires_grad_(True).train(self.training)

    def take(self, single: TransformerNet) -> Float[Tensor, " p"]:
        """Takes over the convolutions of an ordinary network. Returns its norm parameters, as a row of the table.

        Where that network has no pattern, this one's stays as it is: of a new network, 0.
        """
        state = single.state_dict()
        own = self.layers.state_dict(prefix="layers.")
        self.load_state_dict({name: state[name] for name in own if name in state}, strict=False)
        names = [name for name, module in self.named_modules() if isinstance(module, ConditionalNorm)]
        return torch.cat([state[f"{name}.{kind}"] for name in names for kind in ("weight", "bias")]).to(self.table)

    def extended(self, parameters: Float[Tensor, " p"]) -> "ConditionalNet":
        """A network with one more style; all other weights are these, bit for bit."""
        with torch.device("meta"):
            network = ConditionalNet(replace(self.settings, styles=self.settings.styles + 1))
        table = torch.cat([self.table.detach(), parameters.detach()[None].to(self.table)])
        network.load_state_dict({**self.state_dict(), "table": table}, assign=True)
        return network.train(self.training)

    def predicted(self, painting: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b p"]:
        """Norm parameters for paintings that the network has not learned. Raises `UserError` without a predictor."""
        if self.predictor is None:
            raise UserError("this network has no predictor for paintings that it has not learned")
        change: Tensor = self.predictor(painting)
        return self.neutral + change

    @property
    def neutral(self) -> Float[Tensor, " p"]:
        """Parameters of norms that scale by 1 and shift by 0, to which the predictor's are added."""
        return neutral(self.channels, self.table.device).to(self.table.dtype)

    def _pairs(self, parameters: Float[Tensor, "*b p"]) -> Iterator[tuple[Tensor, Tensor]]:
        """Scale and shift for each norm, in the order in which they are applied."""
        sizes = [n for n in self.channels for _ in range(2)]
        pieces = iter(torch.split(parameters, sizes, -1))
        return zip(pieces, pieces, strict=True)


def weights_of(style: object) -> Tensor:
    """Weights as a tensor. Raises `UserError` for what is neither that nor a number of a style."""
    try:
        weights = style if isinstance(style, Tensor) else torch.as_tensor(style)  # which moves to a default device
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"a style is its number, or a weight for each, got {style!r:.80}") from error
    if weights.ndim == 0 or weights.is_complex():
        raise UserError(f"a style is its number, or a weight for each, got {style!r:.80}")
    return weights


def check_numbers(numbers: Tensor, styles: int) -> None:
    """Raises `UserError` for numbers that no style has. A GPU's are not read: the host would wait for them."""
    if numbers.dtype == torch.bool:
        raise UserError("a style is its number, or a weight for each, got yes and no")
    readable = numbers.device.type == "cpu" and not torch.compiler.is_compiling()
    if readable and not ((numbers >= 0) & (numbers < styles)).all():
        raise UserError(f"the styles have the numbers 0 to {styles - 1}, got {numbers.tolist()}")


def check_weights(weights: Float[Tensor, "*b n"], styles: int) -> None:
    """Raises `UserError` for weights that make no mean. A GPU's numbers are not read: the host would wait for them."""
    if weights.shape[-1] != styles:
        raise UserError(f"a blend has a weight for each of {styles} styles, got {weights.shape[-1]}")
    readable = weights.device.type == "cpu" and not torch.compiler.is_compiling()
    if readable and not weights.isfinite().all():
        raise UserError("the weights of a blend must be finite numbers")
    if readable and not weights.sum(-1).all():
        raise UserError("the weights of a blend must not add up to 0")


def neutral(channels: Sequence[int], device: torch.device | None = None) -> Float[Tensor, " p"]:
    """The parameters of norms that scale by 1 and shift by 0."""
    return torch.cat([make(n, device=device) for n in channels for make in (torch.ones, torch.zeros)])


def _through(layer: nn.Module, x: Tensor, pairs: Iterator[tuple[Tensor, Tensor]]) -> Tensor:
    match layer:
        case nn.Sequential():
            for each in layer:
                x = _through(each, x, pairs)
            return x
        case ResidualBlock():
            return x + _through(layer.branch, x, pairs)
        case ConditionalNorm():
            return layer(x, *next(pairs))  # type: ignore[no-any-return]
    return layer(x)  # type: ignore[no-any-return]


def interpolate_networks(networks: Sequence[nn.Module], weights: Sequence[float]) -> TransformerNet | None:
    """One network with the weighted mean of the networks' norm parameters; None unless all else in them is equal."""
    first = networks[0]
    if not isinstance(first, TransformerNet) or any(_form(each) != _form(first) for each in networks):
        return None
    norms = {
        f"{name}.{kind}"
        for name, module in first.named_modules()
        if isinstance(module, InstanceNorm2d)
        for kind in ("weight", "bias")
    }
    states = [network.state_dict() for network in networks]
    if not all(_same(state[name], states[0][name]) for state in states for name in state.keys() - norms):
        return None
    shares = torch.tensor(weights) / sum(weights)
    mixed = {name: _mean([state[name] for state in states], shares) for name in norms}
    with torch.device("meta"):
        network = type(first)(first.settings)
    network.load_state_dict({**states[0], **mixed}, assign=True)
    return network.train(first.training)


def _form(network: nn.Module) -> tuple[type, object]:
    return type(network), getattr(network, "settings", None)


def _mean(values: Sequence[Tensor], shares: Float[Tensor, " n"]) -> Tensor:
    exact = torch.stack([value.float() for value in values])
    return (shares.to(exact) @ exact).to(values[0].dtype)


def _same(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.device == other.device and one.dtype == other.dtype and torch.equal(one, other))
