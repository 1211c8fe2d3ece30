"""Input normalizations of VGG files, and their recognition by the activations that they give."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Triple = tuple[float, float, float]
Convolutions = dict[str, tuple[Tensor, Tensor]]  # "conv1_1" -> weight (out in 3 3), bias (out)


class ConventionError(ValueError):
    """The weights do not match this normalization; the message has the measured and the expected numbers."""


@dataclass(frozen=True)
class Convention:
    """An input normalization of a VGG, and the mean activations on `reference_picture()` that confirm it."""

    name: str
    mean: Triple
    std: Triple
    everywhere: tuple[float, float]  # bounds of each layer's mean activation
    closer: dict[str, tuple[float, float]] = field(default_factory=dict)  # the same, where more is known
    spread: float = math.inf  # bound of std / mean over relu1_1's channels


# By construction every channel is near 1 on photos. On the reference image the true file has layers of 0.81 to 1.44
# (relu5_4, only 4x4 there: 0.43) and a spread of 0.31. Wrong normalizations: torchvision's 3.5 and more, [-1, 1]
# 1.6 to 2.9, 0-255 above 190, no mean: spread 0.99, red and blue exchanged but the mean not: 0.57. Not told
# apart: red and blue exchanged in mean and weights alike (0.29), for VGG answers almost equally to both.
NORMALIZED = Convention(
    name="activations normalized (Gatys et al.)",
    mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
    std=(1.0, 1.0, 1.0),
    everywhere=(0.3, 2.0),
    spread=0.45,
)

# torchvision's VGG16 has 0.28 in relu1_1, 0.56 in relu1_2 and 0.39 to 1.6 beyond. Wrong normalizations, in relu1_2:
# [0, 1] as it is or without the division by std 0.24, a file for 0-255 0.15, 0-255 itself 28 and more, a
# normalized file 3.9. Not told apart: [-1, 1] (0.34). The bounds are wide for VGG19, which was not at hand.
TORCHVISION = Convention(
    name="torchvision",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    everywhere=(0.01, 8.0),
    closer={"relu1_1": (0.14, 0.8), "relu1_2": (0.28, 1.6)},
)


def check_activations(convolutions: Convolutions, convention: Convention) -> None:
    """Raises `ConventionError` where the activations on `reference_picture()` do not fit the convention."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (convention.mean, convention.std))
    for layer, features in _features(convolutions, (reference_picture() - mean) / std):
        low, high = convention.closer.get(layer, convention.everywhere)
        level = features.mean().item()
        if not low <= level <= high:  # NaN too
            text = f"{layer}'s mean activation is {level:.3g}, wanted {low:g} to {high:g}"
            raise ConventionError(f'normalized as "{convention.name}", {text}')
        means = features.mean((0, 2, 3))
        spread = (means.std(correction=0) / means.mean()).item()
        if layer == "relu1_1" and spread > convention.spread:
            text = f"relu1_1's channels differ by {spread:.3g} of their mean, wanted {convention.spread:g}"
            raise ConventionError(f'normalized as "{convention.name}", {text}')


def fitting_convention(convolutions: Convolutions, candidates: list[Convention]) -> Convention:
    """The first that fits. Raises `ConventionError` with what was measured for each."""
    misfits = []
    for convention in candidates:
        try:
            check_activations(convolutions, convention)
            return convention
        except ConventionError as error:
            misfits.append(str(error))
    raise ConventionError("; ".join(misfits))


def reference_picture() -> Float[Tensor, "1 3 64 64"]:
    """RGB in [0, 1]: warm light above, cool shade below, detail that weakens as in photos."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    colors = torch.stack([0.62 - 0.25 * y, 0.55 - 0.2 * y, 0.45 + 0.1 * x - 0.15 * y])
    for k in range(1, 17):
        frequency, angle = 0.5 * 1.25**k, 2.39996 * k  # up to 18 periods a side; the golden angle
        across = 2 * math.pi * frequency * (x * math.cos(angle) + y * math.sin(angle))
        for channel in range(3):  # nearly in phase, as the colors of a photo are
            colors[channel] += 0.09 * torch.sin(across + 1.7 * k + 0.4 * channel) / math.sqrt(frequency)
    return colors.clamp(0, 1)[None]


def _features(convolutions: Convolutions, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    for name, (weight, bias) in convolutions.items():
        if name.endswith("_1") and name != "conv1_1":
            x = F.max_pool2d(x, 2)
        x = F.conv2d(x, weight, bias, padding=1).relu()
        yield name.replace("conv", "relu"), x
