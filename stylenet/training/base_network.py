"""The network that a run starts from: random weights, those of a trained style, or those predicted for its painting."""

from dataclasses import asdict, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stylenet.disk import file_sha256, printable
from stylenet.errors import UserError, prefix_errors
from stylenet.models.catalog import GALLERY, SHIPPED, StyleReference, find_reference
from stylenet.models.conditional import ConditionalNet
from stylenet.models.limits import SUFFIX
from stylenet.models.loading import load_style
from stylenet.models.network import NetworkSettings, StyleNetwork, initialize
from stylenet.models.registry import build_network
from stylenet.models.style_file import read_card
from stylenet.training.settings import Network

BASES = ("starry", "scream")  # trained networks that `init=auto` starts from: the first that is another style


def architecture_of(network: Network) -> NetworkSettings:
    """The settings of a run's network as networks themselves take them."""
    return NetworkSettings(**{**asdict(network), "black": 0})  # it is set after the training


def find_init(init: str | None, name: str, architecture: NetworkSettings) -> StyleReference | None:
    """The style that one painting's run starts from: for `auto` the gallery if it can, else `find_base`."""
    gallery = SHIPPED / f"{GALLERY}{SUFFIX}"
    with prefix_errors("init"):
        named = find_reference(init) if init not in (None, "auto") else None
    for style in (named, StyleReference(gallery) if init == "auto" and gallery.exists() else None):
        if style and style.style is None and predicts(read_card(style.file).network, architecture):
            return style
    return find_base(init, name, architecture)


def predicts(found: NetworkSettings, architecture: NetworkSettings) -> bool:
    """Whether a network of many styles has a predictor, and becomes this architecture with one style's parameters."""
    single = found.single_style()
    return found.architecture == "conditional" and found.predictor > 0 and suits(single, architecture)


def find_base(init: str | None, name: str, architecture: NetworkSettings) -> StyleReference | None:
    """The style to start from: the named one, or for `auto` a shipped network of this architecture, another style.

    None for random weights. Raises `UserError` when what was asked for is not there or has another architecture.
    """
    if init == "auto":
        named = (path for base in BASES for path in sorted(SHIPPED.glob(f"{base}*{SUFFIX}"), key=shortest_first))
        others = (path for path in named if path.stem != name)
        suiting = (path for path in others if suits(read_card(path).network, architecture))
        return next(map(StyleReference, suiting), None)
    if init is None:
        return None
    with prefix_errors("init"):
        style = find_reference(init)
        if not suits(found := load_style(style)[1].network, architecture):
            raise mismatch(style, found, architecture)
    return style


def shortest_first(path: Path) -> tuple[int, str]:
    """A key for sorting by name, with `starry` before `starry-mine`."""
    return len(path.name), path.name


def mismatch(style: StyleReference, found: NetworkSettings, architecture: NetworkSettings) -> UserError:
    """The error for a network that a run cannot start from."""
    return UserError(f"architecture mismatch: {printable(style.name)} is {found}, this run uses {architecture}")


def suits(base: NetworkSettings, architecture: NetworkSettings) -> bool:
    """Whether a run can start from a network: of the same architecture and with the same pattern, or one has none.

    Margin and black have no weights, and may differ.
    """
    same = replace(base, margin=architecture.margin, black=architecture.black)
    return architecture in (same, replace(same, waves=0)) or same == replace(architecture, waves=0)


def first_network(
    architecture: NetworkSettings, seed: int, base: StyleReference | None, painting: Float[Tensor, "1 3 h w"]
) -> StyleNetwork:
    """A network with random weights of the seed, or with those of a trained style.

    One of many styles, where none of them is named, becomes an ordinary network with the norm parameters that it
    predicts for the painting, whose pixels are as many as predictors want.
    """
    network = initialize(build_network(architecture), seed)
    if base is None:
        return network
    first = load_style(base)[0]
    if isinstance(first, ConditionalNet):
        with torch.no_grad():
            first = first.folded(first.predicted(painting)[0])
    # A pattern that only this network has begins with zeros and changes nothing; the first one's alone is left out.
    network.load_state_dict(first.state_dict(), strict=first.settings.waves == architecture.waves)
    return network.train()


def base_facts(base: StyleReference) -> dict[str, str]:
    """What cards and resumed runs know of the start: its name, and its file's hash."""
    return {"style": base.name, "sha256": file_sha256(base.file)}
