"""Networks of styles, by what `catalog.find_reference` takes."""

import os
from dataclasses import replace

import torch

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.models.catalog import StyleReference, find_reference, has_name
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import StyleNetwork
from stylenet.models.style_file import Card, read_style


def load_style(style: str | os.PathLike[str], device: torch.device | str = "cpu") -> tuple[StyleNetwork, Card]:
    """The network of a style, by its name in `checkpoints/` or by its file, and its card.

    The network is in fp32 and in evaluation mode; it maps RGB `b 3 h w` in [0, 1] to the same. Of a file that holds
    many styles, `gallery#wave` gives the ordinary network of one, and `gallery` the network of all, a `ConditionalNet`.
    Raises `UserError` when there is no such style or the file is not a style file.
    """
    reference = find_reference(style)
    return select_style(reference, *read_style(reference.file, device))


def select_style(reference: StyleReference, network: StyleNetwork, card: Card) -> tuple[StyleNetwork, Card]:
    """The style that is meant, of those in a file, named as its results are. Raises `UserError` if it is not there."""
    if reference.style is None:
        return network, card
    file, names = printable(reference.file.stem), card.style_names
    if not isinstance(network, ConditionalNet):
        raise UserError(f"{file} holds one style: leave out # and the name behind it")
    if reference.style not in names:
        raise UserError(f"{file} has no style {printable(reference.style)}; available: {', '.join(names)}")
    index = names.index(reference.style)
    return network.selected(index), replace(card.selected(index), name=reference.name)


def load_single_style(style: str | os.PathLike[str], device: torch.device | str = "cpu") -> tuple[StyleNetwork, Card]:
    """Calls `load_style`, and raises `UserError` for a file of many styles where none is chosen."""
    network, card = load_style(style, device)
    if isinstance(network, ConditionalNet):
        file, names = find_reference(style).file, card.style_names
        typed = printable(file.stem if has_name(file) else os.fspath(style))
        one = f"choose one, as in {typed}#{names[0]}"
        raise UserError(f"{typed} holds {len(names)} styles: {one}; available: {', '.join(names)}")
    return network, card
