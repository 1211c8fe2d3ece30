"""A folder of paintings: what a network of many styles is trained on."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jaxtyping import Float
from torch import Tensor

from stylenet.data.painting import check_size
from stylenet.disk import file_sha256, plain_name, printable
from stylenet.errors import UserError
from stylenet.media.image import resize, to_tensor
from stylenet.media.limits import ImageError
from stylenet.media.painting import decode_painting
from stylenet.models.predictor import SIDE
from stylenet.models.style_file import check_styles, is_style_name

log = logging.getLogger(__name__)

CARDS = "paintings.yaml"  # in the folder: title, artist, year, source, license … of each, by its file's name
KNOWN = ("title", "artist", "year", "died", "source", "license")


@dataclass(frozen=True)
class Painting:
    """One painting: its name as a style, its pixels in [0, 1], and what is known of it.

    `small` are its pixels at the size that a predictor sees.
    """

    name: str
    pixels: Float[Tensor, "1 3 h w"]
    small: Float[Tensor, "1 3 h2 w2"]
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_paintings(folder: Path, size: int) -> list[Painting]:
    """The paintings of a folder in the order of their names, the short side at `size` pixels.

    A file that is not an image is named and skipped. Raises `UserError` for fewer than two paintings, and for two of
    one name.
    """
    check_size(size)
    if not folder.is_dir():
        raise UserError(f"there is no folder of paintings {printable(folder)}")
    files = [path for path in folder.iterdir() if path.is_file() and path.name != CARDS and path.name[0] != "."]
    cards = read_cards(folder)
    found: dict[str, Painting] = {}
    for path in sorted(files):
        try:
            painting = read_painting_file(path, size, cards.get(path.stem) or cards.get(path.name) or {})
        except ImageError as error:
            log.warning("skipped: %s", error)
            continue
        if painting.name in found:
            raise UserError(f"two paintings in {printable(folder)} are called {painting.name}: rename one")
        if "license" not in painting.facts:
            log.warning("%s has no license in %s", printable(path.stem), CARDS)
        found[painting.name] = painting
    check_styles([painting.facts for painting in found.values()])
    if len(found) < 2:
        count = "one painting" if found else "no painting"
        raise UserError(f"a network of many styles needs two paintings or more, and {printable(folder)} has {count}")
    return list(found.values())


def read_painting_file(path: Path, size: int, facts: Mapping[str, Any]) -> Painting:
    """The painting in a file. Raises `ImageError` for a file that is no image."""
    name = path.stem if is_style_name(path.stem) else plain_name(path.name)
    image = decode_painting(path)
    known = {name: as_fact(facts[name]) for name in KNOWN if facts.get(name) not in (None, "")}
    pixels, small = (to_tensor(resize(image, side))[None] for side in (size, SIDE))
    return Painting(name, pixels, small, {**known, "size": size, "sha256": file_sha256(path)})


def as_fact(value: object) -> int | str:
    """Numbers and texts as they are; what else YAML makes of a value, a date for instance, as text."""
    return value if isinstance(value, (int, str)) else str(value)


def read_cards(folder: Path) -> dict[str, dict[str, Any]]:
    """The facts in `paintings.yaml` about each painting; nothing where there is no such file. Raises `UserError`."""
    path = folder / CARDS
    if not path.exists():
        return {}
    try:
        cards = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): dict(facts) for name, facts in cards.items()}
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise UserError(f"{printable(path)} cannot be read: wanted the facts of each painting by its name") from error
