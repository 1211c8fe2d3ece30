"""The architectures by the names that style files and settings use. A new one is a module and a line here."""

from collections.abc import Callable

from stylenet.errors import UserError
from stylenet.models.conditional import ConditionalNet
from stylenet.models.dilated import DilatedNet
from stylenet.models.network import NetworkSettings, StyleNetwork
from stylenet.models.transformer_net import TransformerNet

NETWORKS: dict[str, Callable[[NetworkSettings], StyleNetwork]] = {
    "transformer": TransformerNet,
    "dilated": DilatedNet,
    "conditional": ConditionalNet,
}


def build_network(settings: NetworkSettings) -> StyleNetwork:
    """The network of these settings, with weights that mean nothing yet. Raises `UserError` for an unknown name."""
    if settings.architecture not in NETWORKS:
        wanted = f"one of {', '.join(NETWORKS)}"
        raise UserError(f"the architecture of a network is {wanted}, got {settings.architecture}")
    return NETWORKS[settings.architecture](settings)
