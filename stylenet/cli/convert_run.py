"""The work of `stylenet convert`: the weights of pytorch/examples' fast_neural_style in this package's network.

That network differs from ours in three things: its pixels are in [0, 255], it has no sigmoid, and its result is larger
where a side is no multiple of 4. So the factor 255 goes into the first convolution and out at the last, exactly, as
reflection and convolution are linear; the style file says `linear`; and the result is cut to the photo's size.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stylenet.cli.command import style_target
from stylenet.disk import check_writable, printable, refusal
from stylenet.errors import UserError
from stylenet.models.limits import MAXIMUM_SIZE, SUFFIX
from stylenet.models.network import NetworkSettings, StyleNetwork
from stylenet.models.registry import build_network
from stylenet.models.state_dict import read_state_dict
from stylenet.models.style_file import Card, all_finite, save_style
from stylenet.version import __version__

WHITE = 255.0  # there
FACTORS = {"conv1.conv2d.weight": WHITE, "deconv3.conv2d.weight": 1 / WHITE, "deconv3.conv2d.bias": 1 / WHITE}
# Kept by PyTorch before 0.4 and never used: each image is normalized by itself.
STATISTICS = re.compile(r".*in\d+\.(running_mean|running_var|num_batches_tracked)")


def convert_checkpoint(path: Path, name: str) -> tuple[StyleNetwork, Card]:
    """The network of a checkpoint, and a card under this name. Raises `UserError`."""
    if not path.is_file():
        raise UserError(f"there is no file {printable(path)}")
    if path.stat().st_size > MAXIMUM_SIZE:
        raise UserError(f"{printable(path)} is too large for a style")
    try:
        state = read_state_dict(path)
        network = rebuilt({key: value for key, value in state.items() if not STATISTICS.fullmatch(key)})
    except OSError as error:
        raise UserError(refusal(error, path)) from error
    except ValueError as error:
        raise UserError(f"{printable(path)}: {error}") from error
    return network, Card(name, network.settings, {"converted_from": printable(path.name), "stylenet": __version__})


def rebuilt(state: Mapping[str, Tensor]) -> StyleNetwork:
    """Our network with these weights. Raises `ValueError` when they are those of another kind of network."""
    blocks = len({match[0] for key in state if (match := re.match(r"res\d+\.", key))})
    theirs = parameter_names(blocks)
    if odd := sorted(state.keys() ^ set(theirs)):
        has = "also has" if odd[0] in state else "has no"
        raise ValueError(f"its layers are not those of fast_neural_style: it {has} {printable(odd[0][:80])}")
    with torch.device("meta"):
        network = build_network(NetworkSettings(state["in1.weight"].numel(), blocks, output="linear"))
    ours = network.state_dict()
    for key, (name, wanted) in zip(theirs, ours.items(), strict=True):
        ours[name] = read_weights(key, state[key], wanted.shape) * FACTORS.get(key, 1)
    if not all_finite(ours.values()):
        raise ValueError("contains NaN or infinite weights")
    network.load_state_dict(ours, assign=True)
    return network


def parameter_names(blocks: int) -> list[str]:
    """Their names of the parameters, in the order of ours."""
    residual = [f"res{i}.{layer}{j}" for i in range(1, blocks + 1) for j in (1, 2) for layer in ("conv", "in")]
    layers = [f"{layer}{i}" for i in (1, 2, 3) for layer in ("conv", "in")] + residual
    layers += ["deconv1", "in4", "deconv2", "in5", "deconv3"]
    convolutions = (f"{layer}.conv2d" if "conv" in layer else layer for layer in layers)
    return [f"{layer}.{kind}" for layer in convolutions for kind in ("weight", "bias")]


def read_weights(key: str, value: Tensor, wanted: torch.Size) -> Tensor:
    """The weights under this name in fp32. Raises `ValueError` where they are no floats of the shape that is wanted."""
    if value.shape != wanted or not value.is_floating_point():
        raise ValueError(f"{key} should be floats {tuple(wanted)}, got {value.dtype} {tuple(value.shape)}")
    return value.detach().float()


def convert(file: Path, output: Path | None, name: str | None) -> Path:
    """Writes the style file of a checkpoint and returns its path. Raises `UserError`."""
    target = style_target(output, file.with_suffix(SUFFIX))
    check_writable(target, file)
    network, card = convert_checkpoint(file, printable(name or file.stem))
    try:
        save_style(target, network, card)
    except OSError as error:
        raise UserError(f"cannot write {printable(target)}: {error.strerror}") from error
    return target
