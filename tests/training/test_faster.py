"""The faster ways of a CPU give the numbers of the usual ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stylenet.training.faster import FasterOnCPU


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


def test_frozen_convolutions_and_other_sorts_are_left_alone() -> None:
    with FasterOnCPU():
        still = F.conv2d(torch.ones(1, 1, 3, 3, requires_grad=True), torch.ones(1, 1, 3, 3))
        values, order = torch.tensor([2, 1]).sort()
        down = torch.tensor([1.0, 3.0, 2.0]).sort(dim=0, descending=True).values
    assert "Convolution" in type(still.grad_fn).__name__
    assert (values.tolist(), order.tolist(), down.tolist()) == ([1, 2], [1, 0], [3.0, 2.0, 1.0])
