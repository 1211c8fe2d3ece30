"""Layers: reflection and norms against NumPy, memory layout, and what a GPU would do, on tensors without memory."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from stylenet.models import layers
from stylenet.models.layers import ReflectConv2d, instance_norm, pad_by_reflection
from stylenet.models.network import NetworkSettings
from stylenet.models.registry import build_network

LAYOUT = torch.channels_last


def as_on_cuda(function: object, x: Tensor, *rest: object) -> Tensor:
    """The branch for CUDA, on a CPU's tensor that says it is on a GPU."""

    class Claimed(Tensor):
        @property
        def device(self) -> torch.device:  # type: ignore[override]
            return torch.device("cuda")

    claimed = x.as_subclass(Claimed)
    result: Tensor = function(claimed, *rest)  # type: ignore[operator]
    return result.as_subclass(Tensor)


@pytest.mark.parametrize("reach", [1, 4])
def test_reflection_on_a_gpu_is_numpys_and_keeps_the_layout(reach: int) -> None:
    x = torch.rand(2, 3, 9, 7).contiguous(memory_format=LAYOUT)
    found = as_on_cuda(pad_by_reflection, x, [reach] * 4)
    expected = np.pad(x.numpy(), [(0, 0), (0, 0), (reach, reach), (reach, reach)], mode="reflect")
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(pad_by_reflection(x, [reach] * 4), expected)
    assert found.is_contiguous(memory_format=LAYOUT)


def test_the_gradient_of_the_reflection_on_a_gpu_is_that_of_the_padding() -> None:
    x, weight = torch.rand(2, 3, 9, 7, dtype=torch.float64), torch.rand(2, 3, 13, 11, dtype=torch.float64)
    gradients = []
    for padded in (lambda x: F.pad(x, [2] * 4, mode="reflect"), lambda x: as_on_cuda(pad_by_reflection, x, [2] * 4)):
        leaf = x.clone().requires_grad_()
        (padded(leaf) * weight).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("per_image", [False, True])
def test_the_norm_of_a_batch_on_a_gpu_is_instance_norm_and_keeps_the_layout(per_image: bool) -> None:
    x = (3 + torch.rand(2, 3, 6, 5)).contiguous(memory_format=LAYOUT)
    weight, bias = torch.rand(2, 3), torch.rand(2, 3)
    weight, bias = (weight, bias) if per_image else (weight[0], bias[0])
    found = as_on_cuda(instance_norm, x, weight, bias)
    values = x.double().numpy()
    mean, variance = values.mean((2, 3), keepdims=True), values.var((2, 3), keepdims=True)
    scale, shift = (np.broadcast_to(value.numpy(), (2, 3))[..., None, None] for value in (weight, bias))
    np.testing.assert_allclose(found, (values - mean) / np.sqrt(variance + 1e-5) * scale + shift, atol=1e-5)
    assert found.is_contiguous(memory_format=LAYOUT)


def fake_photos(batch: int) -> Tensor:
    return torch.empty(batch, 3, 70, 66, device="cuda:0", dtype=torch.float16, memory_format=LAYOUT)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("architecture", ["transformer", "dilated"])
def test_a_network_in_half_precision_stays_on_the_gpu_and_in_channels_last(
    architecture: str, fold: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def padded(x: Tensor, sides: list[int]) -> Tensor:
        result = pad_by_reflection(x, sides)
        seen.extend((x, result))
        return result

    monkeypatch.setattr(layers, "pad_by_reflection", padded)
    with FakeTensorMode(), torch.no_grad():
        with torch.device("meta"):
            network = build_network(NetworkSettings(8, 3, fold, architecture=architecture))
        for module in network.modules():
            for name, value in module.named_parameters(recurse=False):
                layout = LAYOUT if value.ndim == 4 else torch.contiguous_format
                weights = torch.empty(value.shape, device="cuda:0", dtype=torch.float16, memory_format=layout)
                module.register_parameter(name, nn.Parameter(weights))
        stylized = network(photos := fake_photos(batch))
    assert (stylized.shape, stylized.dtype, stylized.device.type) == (photos.shape, torch.float16, "cuda")
    assert len(seen) == 2 * sum(isinstance(module, ReflectConv2d) for module in network.modules())
    assert all(each.is_contiguous(memory_format=LAYOUT) for each in seen)
