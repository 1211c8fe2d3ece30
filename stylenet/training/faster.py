"""Two operations of a training step, done faster on a CPU.

PyTorch's weight gradients in channels_last take up to six times as long as in the usual layout, where everything else
is faster; its sort takes up to nine times as long as NumPy's. Together they were part of a step at 192 px. The
numbers are the same but for rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Convolution(torch.autograd.Function):
    """A convolution whose weight gradient is computed in the usual layout."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, form: tuple[list[int], ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.form = form
        stride, padding, dilation = form
        return torch.conv2d(x, weight, bias, stride, padding, dilation)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]

        def gradients(*which: bool, layout: torch.memory_format = torch.preserve_format) -> tuple[Any, ...]:
            tensors = (each.contiguous(memory_format=layout) if which[1] else each for each in (gradient, x, weight))
            form = ([len(weight)], *ctx.form, False, [0, 0], 1, list(which))
            found: tuple[Any, ...] = torch.ops.aten.convolution_backward(*tensors, *form)
            return found

        first = gradients(True, False, False)[0] if of_x else None
        usual = gradients(False, True, of_bias, layout=torch.contiguous_format) if of_weight else (None,) * 3
        return first, usual[1], usual[2] if of_bias else None, None


class FasterOnCPU(TorchFunctionMode):
    """Inside of it, convolutions that learn and sorts take the faster ways, where they are faster."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function is F.conv2d and (result := convolve(*args, **kwargs)) is not None:
            return result
        if function is Tensor.sort and len(args) == 1 and applies(args[0]) and set(kwargs) == {"dim"}:
            return sort(args[0], kwargs["dim"])
        return function(*args, **kwargs)


def applies(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def convolve(
    input: Tensor,  # noqa: A002, its name in F.conv2d
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor | None:
    """A convolution whose weights learn; None for one of any other kind, which is PyTorch's."""
    if not (applies(input) and weight.requires_grad and input.ndim == 4 and groups == 1) or isinstance(padding, str):
        return None
    form = tuple([each] * 2 if isinstance(each, int) else [*each, *each][:2] for each in (stride, padding, dilation))
    result: Tensor = Convolution.apply(input, weight, bias, form)
    return result


def sort(x: Tensor, dim: int) -> "torch.return_types.sort":
    order = torch.from_numpy(np.argsort(x.detach().numpy(), axis=dim))
    return torch.return_types.sort((x.gather(dim, order), order))
