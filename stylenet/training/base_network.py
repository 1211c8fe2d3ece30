"""The network that a run starts from: random weights, or those of a trained style."""

from pathlib import Path

from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.models.catalog import SHIPPED, find_style
from stylenet.models.network import NetworkSettings, StyleNetwork, initialize
from stylenet.models.registry import build_network
from stylenet.models.style_file import SUFFIX, load_style, read_card
from stylenet.training.checks import prefix_errors

BASES = ("starry", "scream")  # trained networks that `init=auto` starts from: the first that is another style


def find_base(init: str | None, name: str, architecture: NetworkSettings) -> Path | None:
    """The style file to start from: the named one, or for `auto` a shipped network of this architecture, another style.

    None for random weights. Raises `UserError` when what was asked for is not there or has another architecture.
    """
    if init == "auto":
        others = (path for base in BASES for path in sorted(SHIPPED.glob(f"{base}*{SUFFIX}")) if path.stem != name)
        return next((path for path in others if read_card(path).network == architecture), None)
    if init is None:
        return None
    with prefix_errors("init"):
        path = find_style(init)
        if (found := read_card(path).network) != architecture:
            raise UserError(f"architecture mismatch: {shown(path.stem)} is {found}, this run uses {architecture}")
    return path


def first_network(architecture: NetworkSettings, seed: int, base: Path | None) -> StyleNetwork:
    """A network with random weights of the seed, or with those of a trained style."""
    return load_style(base)[0].train() if base else initialize(build_network(architecture), seed)
