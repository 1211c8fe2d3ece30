"""A loss network small enough for tests: VGG19's layers with a few random channels."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from stylenet.vgg.conventions import NORMALISED, reference_picture
from stylenet.vgg.features import VGGFeatures
from stylenet.vgg.weights import BLOCKS, VGGWeights


def tiny_weights(channels: int = 4, last: str = "conv4_1") -> VGGWeights:
    """Random weights for every convolution up to `last`, fed with RGB in [0, 1] less 0.5."""
    generator = torch.Generator().manual_seed(0)
    convolutions: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    inputs = 3
    for name in (f"conv{b}_{i}" for b, n in enumerate(BLOCKS["vgg19"], start=1) for i in range(1, n + 1)):
        weight = torch.randn(channels, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        convolutions[name] = (weight, torch.full((channels,), 0.1))
        inputs = channels
        if name == last:
            break
    return VGGWeights("tiny", "0" * 64, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), convolutions)


@pytest.fixture
def tiny_vgg() -> VGGFeatures:
    return VGGFeatures(tiny_weights())


@pytest.fixture(scope="session")
def tiny_vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file that passes for a normalised VGG19, eight channels wide, as deep as the default losses need."""
    generator = torch.Generator().manual_seed(0)
    x = reference_picture() - torch.tensor(NORMALISED.mean).view(1, 3, 1, 1)
    state = {}
    for position in (0, 2, 5, 7, 10, 12, 14, 16, 19):  # conv1_1 to conv4_1
        x = F.max_pool2d(x, 2) if position in (5, 10, 19) else x
        weight = torch.randn(8, x.shape[1], 3, 3, generator=generator)
        weight /= F.conv2d(x, weight, padding=1).relu().mean((0, 2, 3)).view(-1, 1, 1, 1)
        state |= {f"features.{position}.weight": weight, f"features.{position}.bias": torch.zeros(8)}
        x = F.conv2d(x, weight, padding=1).relu()
    path = tmp_path_factory.mktemp("vgg") / "tiny vgg (1).safetensors"
    save_file(state, path)
    return path
