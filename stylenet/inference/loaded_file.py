"""A style file that is read once for all of its styles."""

from pathlib import Path

from stylenet.inference.stylizer import LAYOUT, Stylizer
from stylenet.models.catalog import StyleReference
from stylenet.models.conditional import ConditionalNet
from stylenet.models.loading import select_style
from stylenet.models.network import StyleNetwork
from stylenet.models.style_file import read_style


class LoadedFile:
    """A style file in memory, on one device by the names that `Stylizer` takes.

    The stylizers of a file of many styles have the same convolutions, so that each costs its norm parameters alone.
    Raises `UserError` when it is not a style file, and for a device that is not there.
    """

    def __init__(self, file: Path, device: str = "auto") -> None:
        self.network, self.card = read_style(file)
        self.form = Stylizer(first_of(self.network), self.card, device)
        if isinstance(self.network, ConditionalNet):
            self.network.predictor = None  # which no learned style needs
        self.network.to(self.form.device, self.form.dtype, memory_format=LAYOUT)  # type: ignore[call-overload]
        # In place of the copy that a stylizer makes.
        self.form = self.form.with_network(first_of(self.network), self.card)

    def stylizer(self, style: StyleReference) -> Stylizer:
        """One of the file's styles. Raises `UserError` if it is not there."""
        return self.form.with_network(*select_style(style, self.network, self.card))


def first_of(network: StyleNetwork) -> StyleNetwork:
    return network.selected(0) if isinstance(network, ConditionalNet) else network
