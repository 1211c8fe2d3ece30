"""Names of a VGG's convolutions in the files that hold them."""

import re
from dataclasses import replace

import torch
from torch import Tensor

from stylenet.losses.vgg.conventions import NORMALIZED, Convention, Convolutions

# Convolutions in each of the five blocks; a 2x2 max pooling stands between blocks.
BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def named_convolutions(state: dict[str, Tensor], architecture: str) -> tuple[Convolutions, Convention | None]:
    """The state dict's convolutions by name, and how to feed them where the file itself says it.

    Raises `ValueError` where the layers are not those of the architecture.
    """
    numbered = _numbered(state)
    mapping = numbered.pop(0) if 0 in numbered and numbered[0][0].shape == (3, 3, 1, 1) else None
    # The artifact has the mapping at 0 and a padding before each convolution.
    names = positions(architecture, first=2, step=3) if mapping else positions(architecture)
    if not numbered or list(numbered) != list(names)[: len(numbered)]:
        wanted = ", ".join(f"{i}" for i in names)
        got = ", ".join(f"{i}" for i in numbered) or "none"
        raise ValueError(f"{architecture} has its convolutions at features {wanted}, the file at {got}")
    _check_shapes(numbered)
    convolutions = {names[i]: pair for i, pair in numbered.items()}
    return _unmapped(convolutions, mapping) if mapping else (convolutions, None)


def positions(architecture: str, first: int = 0, step: int = 2) -> dict[int, str]:
    """Names of an `nn.Sequential`'s convolutions by index: every `step`, and one further after each pooling."""
    names = {}
    for block, count in enumerate(BLOCKS[architecture], start=1):
        for i in range(1, count + 1):
            names[first] = f"conv{block}_{i}"
            first += step
        first += 1
    return names


def _numbered(state: dict[str, Tensor]) -> dict[int, tuple[Tensor, Tensor]]:
    """`features.5.weight` or `5.weight`, with its bias, as 5, in ascending order and fp32."""
    found = {}
    for key, weight in state.items():
        match = re.fullmatch(r"((?:features\.)?(\d+)\.)weight", str(key))
        bias = state.get(f"{match[1]}bias") if match else None
        if match and bias is not None:
            found[int(match[2])] = (weight.float(), bias.float())
    return dict(sorted(found.items()))


def _check_shapes(numbered: dict[int, tuple[Tensor, Tensor]]) -> None:
    channels = 3
    for i, (weight, bias) in numbered.items():
        if weight.shape[1:] != (channels, 3, 3) or bias.shape != weight.shape[:1]:
            got = f"{tuple(weight.shape)} and {tuple(bias.shape)}"
            raise ValueError(f"features.{i} should be (n, {channels}, 3, 3) and (n,), got {got}")
        channels = len(bias)


def _unmapped(convolutions: Convolutions, mapping: tuple[Tensor, Tensor]) -> tuple[Convolutions, Convention]:
    """Folds the 1x1 convolution A x + b, which the artifact has before conv1_1, into conv1_1.

    A x + b = A (x - mean): the mean has to stay outside, for conv1_1 pads with zeros, which must mean "mean".
    """
    matrix = mapping[0][:, :, 0, 0].double()
    mean = torch.linalg.solve(matrix, -mapping[1].double()).tolist()
    weight, bias = convolutions["conv1_1"]
    folded = torch.einsum("omhw,mi->oihw", weight.double(), matrix).float().contiguous()
    convention = replace(NORMALIZED, mean=(mean[0], mean[1], mean[2]))
    return convolutions | {"conv1_1": (folded, bias)}, convention
