"""Weights of VGG's form with random numbers, whose channels have the mean activations that tell how they are fed."""

import torch
import torch.nn.functional as F

from stylenet.losses.vgg.conventions import NORMALIZED, TORCHVISION, reference_picture
from stylenet.losses.vgg.layers import BLOCKS
from stylenet.losses.vgg.weights import VGGWeights

State = dict[str, torch.Tensor]


def made_up_vgg(layers: int = 2, levels: tuple[float, ...] = (1.0, 1.0), mean=NORMALIZED.mean, std=(1, 1, 1)):
    """Random weights of VGG's form, 8 wide, whose channels have these mean activations when fed so."""
    generator = torch.Generator().manual_seed(0)
    x = (reference_picture() - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    pairs = []
    for level in levels[:layers]:
        weight = torch.randn(8, x.shape[1], 3, 3, generator=generator)
        scale = level / F.conv2d(x, weight, padding=1).relu().mean((0, 2, 3))
        weight = weight * scale.view(-1, 1, 1, 1)
        pairs.append((weight, torch.zeros(8)))
        x = F.conv2d(x, weight, padding=1).relu()
    return pairs


def state(pairs, keys=(0, 2), prefix="features.") -> State:
    weights = {f"{prefix}{key}.weight": weight for key, (weight, _) in zip(keys, pairs, strict=True)}
    return weights | {f"{prefix}{key}.bias": bias for key, (_, bias) in zip(keys, pairs, strict=True)}


def like_torchvision():
    return made_up_vgg(levels=(0.28, 0.56), mean=TORCHVISION.mean, std=TORCHVISION.std)


def like_artifact() -> State:
    """As the artifact: a 1x1 that makes BGR * 255 - mean, then convolutions of what it gives."""
    (first, bias), second = made_up_vgg()
    exchange = torch.eye(3).flip(0).view(3, 3, 1, 1) * 255
    mapping = exchange, torch.tensor([-103.939, -116.779, -123.68])
    return state([mapping, (first.flip(1) / 255, bias), second], (0, 2, 5), prefix="")


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
