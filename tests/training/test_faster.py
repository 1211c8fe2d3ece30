"""The faster ways of a CPU give the numbers of the usual ones."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylenet.training.faster import FasterOnCPU

KERNEL = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)


def gradients(faster: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 9, 11, generator=generator).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(4, 3, 3, 3, generator=generator, requires_grad=True)
    bias = torch.randn(4, generator=generator, requires_grad=True)

    def loss() -> Tensor:
        features = F.conv2d(x, weight, bias, (2, 2), dilation=(1, 1))
        ranked = features.flatten(2).sort(dim=2).values
        return (ranked * torch.arange(ranked.shape[2])).sum()

    if faster:
        with FasterOnCPU():
            value = loss()
    else:
        value = loss()
    value.backward()
    return [value.detach(), *(each.grad for each in (x, weight, bias) if each.grad is not None)]


def test_values_and_gradients_are_the_usual_ones() -> None:
    usual, faster = gradients(False), gradients(True)
    assert len(usual) == len(faster) == 4
    for one, other in zip(usual, faster, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, groups=2, padding_mode="reflect", padding=1),
        lambda x: F.conv2d(input=x, weight=KERNEL, stride=[2]),
        lambda x: F.conv2d(x[0], weight=KERNEL),
    ],
)
def test_convolutions_of_every_kind_are_as_usual(layer: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 4, 7, 9, generator=torch.Generator().manual_seed(0))
    expected = layer(x)
    with FasterOnCPU():
        torch.testing.assert_close(layer(x), expected)


def test_frozen_convolutions_and_other_sorts_are_left_alone() -> None:
    with FasterOnCPU():
        still = F.conv2d(torch.ones(1, 1, 3, 3, requires_grad=True), torch.ones(1, 1, 3, 3))
        values, order = torch.tensor([2, 1]).sort()
        down = torch.tensor([1.0, 3.0, 2.0]).sort(dim=0, descending=True).values
    assert "Convolution" in type(still.grad_fn).__name__
    assert (values.tolist(), order.tolist(), down.tolist()) == ([1, 2], [1, 0], [3.0, 2.0, 1.0])
