"""A GPU of which devices and shapes are there, and no values: what a test of device placement needs.

A tensor on the wrong device, and any read of a value, for which a GPU would have to finish first, fail.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stylenet.losses import stability, terms

CUDA = torch.device("cuda:0")
READS = {"aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero", "aten::equal"}
INDEXING = {"aten::index", "aten::index_put", "aten::index_put_"}


class Transfers(TorchDispatchMode):
    """Counts copies between host and device, and fails when a value is read.

    `copies` are all of them, `waiting` those for which the host would wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[tuple[str, str, tuple[int, ...]]] = []
        self.waiting: list[tuple[str, str, tuple[int, ...]]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func.name().split(".")[0]
        assert name not in READS, f"{name} would wait for the GPU"
        result = func(*args, **(kwargs or {}))
        if name == "aten::_to_copy" and isinstance(args[0], Tensor) and args[0].device.type != result.device.type:
            self.count(args[0].device.type, result, (kwargs or {}).get("non_blocking", False))
        if name in INDEXING:  # by indices of the host, which PyTorch copies without a word
            indices = [each for each in tree_leaves(args[1]) if isinstance(each, Tensor)]
            for index in indices:
                if index.device.type != args[0].device.type:
                    self.count(index.device.type, result, False)
        return result

    def count(self, source: str, result: Tensor, non_blocking: bool) -> None:
        copy = (source, result.device.type, tuple(result.shape))
        self.copies.append(copy)
        if not non_blocking:
            self.waiting.append(copy)


class Drawn(TorchFunctionMode):
    """Lets random numbers be drawn on a GPU that has no generator: `on` stands for one. They must be drawn there."""

    def __init__(self) -> None:
        super().__init__()
        self.generators: list[torch.Generator] = []

    def on(self, device: torch.device, seed: int) -> torch.Generator:
        """Takes the place of `stylenet.device.generator_on`."""
        assert device == CUDA

        class OnCUDA(torch.Generator):
            device = CUDA

        self.generators.append(OnCUDA())
        return self.generators[-1]

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if any(kwargs.get("generator") is generator for generator in self.generators):
            del kwargs["generator"]
            assert torch.device(kwargs["device"]) == CUDA, "drawn on the host"
        return func(*args, **kwargs)


def moved(module: nn.Module) -> None:
    """Puts fake CUDA tensors in the place of weights and buffers by hand, as `Module.to` cannot."""
    for part in module.modules():
        wrap: Any
        for values, wrap in ((part._parameters, nn.Parameter), (part._buffers, lambda tensor: tensor)):
            for name, value in list(values.items()):
                if value is not None:
                    values[name] = wrap(there(value))


def there(value: Tensor) -> Tensor:
    """A fake CUDA tensor like this one, channels last where it can be."""
    layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
    return torch.empty(value.shape, dtype=value.dtype, device=CUDA, memory_format=layout)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorMode]:
    """Of 80 GB. `inference_mode` does not know fakes."""
    mode = torch.autograd.grad_mode.inference_mode
    start = mode.__init__
    monkeypatch.setattr(mode, "__init__", lambda self, mode=True: start(self, False))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)  # which CUDA itself would do
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True) as fakes:
        yield fakes


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, fake: FakeTensorMode) -> Iterator[Drawn]:
    """Random numbers of that GPU, in the terms of the loss."""
    with Drawn() as drawing:
        for module in (stability, terms):
            monkeypatch.setattr(module, "generator_on", drawing.on)
        yield drawing
