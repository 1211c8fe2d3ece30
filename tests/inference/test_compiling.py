"""Compiled networks: the same pictures, and never a failure for want of a compiler."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stylenet import Stylizer
from stylenet.inference.compiling import Compiled
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1)
SCRIPT = """
import logging
import torch
from torch import nn
from stylenet.inference.compiling import Compiled
logging.basicConfig(format="%(message)s")
network = nn.Conv2d(3, 3, 3)
compiled, photo = Compiled(network), torch.rand(1, 3, 20, 20)
with torch.inference_mode():
    print(all(torch.equal(compiled(photo), network(photo)) for _ in range(3)))
"""


class Doubling(nn.Module):
    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return 2 * photos


def test_a_size_is_compiled_once_so_many_pictures_of_it_have_come() -> None:
    compiled = Compiled(nn.Identity(), after=2)
    compiled.fast = Doubling()  # in place of the compiler's, to tell them apart
    small, large = torch.ones(1, 3, 20, 20), torch.ones(1, 3, 20, 30)
    assert [compiled(photo).max().item() for photo in (small, small, large, small, large, large)] == [1, 1, 1, 2, 1, 2]


def test_compiled_and_plain_paths_agree_to_rounding() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (24, 28, 3), np.uint8)
    plain, fast = (
        Stylizer(initialize(TransformerNet(TINY), 0), Card("x", TINY), "cpu", torch.float32, chosen)
        for chosen in (False, True)
    )
    for _ in range(2):
        np.testing.assert_allclose(fast.stylize(photo).astype(int), plain.stylize(photo).astype(int), atol=1)
    assert isinstance(fast.network, Compiled)
    assert fast.network.fast is not None, "it was not compiled at all"


def test_without_a_compiler_the_network_goes_on_and_says_so_once(tmp_path: Path) -> None:
    environment = os.environ | {"CXX": "/no/compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert result.stdout == "True\n", result.stderr
    assert result.stderr.count("torch.compile failed, running eagerly") == 1


def test_one_photo_does_not_wait_for_a_compiler_that_it_does_not_need() -> None:
    code = """
import sys, torch
from stylenet.inference.compiling import Compiled
compiled = Compiled(torch.nn.Conv2d(3, 3, 3), after=600)
compiled(torch.rand(1, 3, 20, 20))
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_size_is_compiled() -> None:
    seen: list[torch.fx.GraphModule] = []
    compiled = Compiled(Doubling())
    compiled.fast = torch.compile(
        compiled.network, dynamic=False, backend=lambda graph, _: [seen.append(graph), graph][1]
    )
    for width in range(20, 32):
        compiled(torch.ones(1, 3, 20, width))
    assert len(seen) == 12


def test_too_little_memory_is_no_failure_of_the_compiler() -> None:
    def full(photos: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    compiled = Compiled(nn.Identity())
    compiled.fast = full
    with pytest.raises(torch.OutOfMemoryError):
        compiled(torch.ones(1, 3, 20, 20))
    assert not compiled.failed
