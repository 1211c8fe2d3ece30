"""Style files by name: in `checkpoints/` of the working directory, then of the source tree."""

import os
from pathlib import Path

import torch

from stylenet.disk import SOURCE_TREE, shown
from stylenet.errors import UserError
from stylenet.models import style_file
from stylenet.models.network import StyleNetwork
from stylenet.models.style_file import SUFFIX, Card

SHIPPED = SOURCE_TREE / "checkpoints"


def styles() -> dict[str, Path]:
    """The style files that have a name, in the order of their names."""
    folders = (SHIPPED, Path("checkpoints"))  # the latter last, so that it wins
    found = {path.stem: path for folder in folders for path in folder.glob(f"*{SUFFIX}")}
    return dict(sorted(found.items()))


def find_style(style: str | os.PathLike[str]) -> Path:
    """The style file of a name or a path. Raises `UserError`, which lists the styles there are."""
    path, known = Path(style), styles()
    if os.fspath(style) in known:
        return known[os.fspath(style)]
    if path.is_file():
        return path
    if path.suffix == SUFFIX or path.name != os.fspath(style):
        raise UserError(f"there is no style file {shown(path)}")
    names = ", ".join(shown(name) for name in known) or "none yet: python train.py makes them"
    raise UserError(f"there is no style {shown(path)}; there are: {names}")


def load_style(style: str | os.PathLike[str], device: torch.device | str = "cpu") -> tuple[StyleNetwork, Card]:
    """The network of a style, by its name in `checkpoints/` or by its file, and its card.

    The network is in fp32 and in evaluation mode; it maps RGB `b 3 h w` in [0, 1] to the same. Raises `UserError` when
    there is no such style or the file is not a style file.
    """
    return style_file.load_style(find_style(style), device)


def find_weighted_style(text: str) -> tuple[Path, float]:
    """The style file of `NAME_OR_FILE[:WEIGHT]`, and its weight, 1 where there is none.

    Only a number is a weight, so the colon of `C:\\wave.safetensors` isn't one; and what is there under the whole
    text is that. Raises `UserError` as `find_style` does.
    """
    name, colon, number = text.rpartition(":")
    if not colon or text in styles() or Path(text).is_file():
        return find_style(text), 1.0
    try:
        weight = float(number)
    except ValueError:
        return find_style(text), 1.0
    return find_style(name), weight
