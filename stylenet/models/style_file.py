"""The style file: a trained network as one safetensors file, with a card of plain values inside.

It is all that training hands to its users. Loading it runs no code of the file's author: the weights are
plain numbers, the card is JSON.
"""

import json
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from stylenet.disk import atomic_write, printable
from stylenet.errors import UserError
from stylenet.models.limits import MAXIMUM_SIZE
from stylenet.models.network import NetworkSettings, StyleNetwork
from stylenet.models.registry import NETWORKS, build_network

CARD_KEY = "stylenet"  # the one key in the file's metadata; several would be written in random order
# Beyond them a file's own size does not limit what its network costs.
LIMITS = {"width": 4096, "blocks": 256, "styles": 1000, "predictor": 4096}
MAXIMUM_NAME = 255  # characters
MAXIMUM_HEADER = 1_000_000  # bytes; a usual file has 12,000
ROOM = 100_000  # bytes of a header for everything but the facts about many paintings


class StyleFileError(UserError):
    """A style file that cannot be used; the message says which and why in one line."""


@dataclass(frozen=True)
class Card:
    """The facts about a network: equal runs have equal cards.

    `network` rebuilds it; everything else (`painting`, `loss`, `training`, `held_out`, …) is for people. A network of
    many styles has a list `styles` in place of `painting`: a painting each, with a `name`.
    """

    name: str
    network: NetworkSettings = field(default_factory=NetworkSettings)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        values = {**self.facts, "name": self.name, "network": self.network.values()}
        return json.dumps(values, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Card":
        facts = json.loads(text)
        # Half characters, with which no page could be written, are replaced.
        facts = json.loads(json.dumps(facts, ensure_ascii=False).encode(errors="replace"))
        network = facts.pop("network")
        usual = {field.name: field.default for field in fields(NetworkSettings)}
        if not all(type(value) is type(usual[name]) for name, value in network.items()):
            raise TypeError("network settings are whole numbers and words")
        settings = NetworkSettings(**network)
        if any(getattr(settings, name) > limit for name, limit in LIMITS.items()):
            raise ValueError("too large a network")
        if settings.architecture == "conditional":
            _check_paintings(facts["styles"], settings.styles)
        return cls(printable(str(facts.pop("name")))[:MAXIMUM_NAME], settings, facts)

    @property
    def style_names(self) -> list[str]:
        """The names of a network of many styles; empty for other networks."""
        many = self.network.architecture == "conditional"
        return [painting["name"] for painting in self.facts["styles"]] if many else []

    @property
    def paintings(self) -> dict[str, Any]:
        """The facts about each painting, by what comes behind the file's name: nothing, or `#` and the style's."""
        if self.style_names:
            return {f"#{painting['name']}": painting for painting in self.facts["styles"]}
        return {"": self.facts.get("painting")}

    @property
    def painting_sha256(self) -> str | None:
        """The hash of the painting of a network of one style, where the card has it."""
        painting = self.facts.get("painting")
        return painting.get("sha256") if isinstance(painting, dict) else None

    def selected(self, style: int) -> "Card":
        """The card of one style of many, as that of an ordinary network."""
        painting = dict(self.facts["styles"][style])
        of_all = ("styles", "parameters", "held_out")
        facts = {name: value for name, value in self.facts.items() if name not in of_all}
        single = self.network.single_style()
        own = painting.pop("training", {})  # of a style that was added later
        return Card(
            painting.pop("name"), single, {**facts, **(own if isinstance(own, dict) else {}), "painting": painting}
        )


def _check_paintings(paintings: Any, count: int) -> None:
    """Raises `TypeError` or `ValueError` unless there are so many, with different names that can be typed."""
    names = [painting["name"] for painting in paintings]
    if not all(isinstance(painting, dict) and isinstance(painting["name"], str) for painting in paintings):
        raise TypeError("a list of paintings with names")
    if len(names) != count or len(set(names)) < count:
        raise ValueError("as many different names as styles")
    if not all(is_style_name(name) for name in names):
        raise ValueError("a name that cannot be typed")


def check_styles(paintings: Sequence[Mapping[str, Any]]) -> None:
    """Raises `UserError` for more paintings, or longer facts about them, than a file of many styles may have."""
    if len(paintings) > LIMITS["styles"]:
        raise UserError(f"a style file holds at most {LIMITS['styles']} styles, not {len(paintings)}")
    room = MAXIMUM_HEADER - ROOM
    if (size := len(json.dumps(list(paintings)).encode())) > room:
        raise UserError(f"titles, sources and licenses of the paintings take {size:,} bytes; a style file has {room:,}")


def is_style_name(name: str) -> bool:
    """Whether one of many styles may be called so: `-s` takes what is behind `#`, and a weight behind `:`."""
    return bool(name) and len(name) <= MAXIMUM_NAME and name.isprintable() and not set(name) & set("#:/\\")


def save_style(path: Path, network: StyleNetwork, card: Card) -> None:
    """Writes the style file atomically: readers never see a partial file."""
    _write(path, {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}, card)


def change_card(path: Path, card: Card) -> None:
    """Gives a style file another card; its weights stay as they are, bit by bit. Raises `StyleFileError`."""
    with _opened(path) as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a mapping
    _write(path, weights, card)


def _write(path: Path, weights: Mapping[str, torch.Tensor], card: Card) -> None:
    with atomic_write(path) as temporary:
        # Not save_file(), which gives the file permissions of its own.
        temporary.write_bytes(save(dict(weights), {CARD_KEY: card.to_json()}))


def read_card(path: Path) -> Card:
    """The card alone, without reading the weights. Raises `StyleFileError`."""
    with _opened(path) as file:
        return _card(file, path)


def read_style(path: Path, device: torch.device | str = "cpu") -> tuple[StyleNetwork, Card]:
    """The network in fp32, in evaluation mode, and its card. Raises `StyleFileError`."""
    with _opened(path) as file:
        card = _card(file, path)
        network = _network_for(file, path, card.network)
        # Copies: weights that stay mapped onto the file change with it.
        weights = {name: file.get_tensor(name).to(torch.float32, copy=True) for name in file.keys()}  # noqa: SIM118
    if not all_finite(weights.values()):
        raise StyleFileError(f"{printable(path)} contains NaN or infinite weights")
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(True).to(device).eval(), card


def all_finite(values: Iterable[torch.Tensor]) -> bool:
    """Whether no number is infinite or NaN. One call: sixty of them took up to half a second on a busy machine."""
    return bool(torch.cat([value.flatten() for value in values]).isfinite().all())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, once it is known to be small enough to look into."""
    try:
        _check_sizes(path)
        _check_name(path)
        with safe_open(path, framework="pt") as file:
            yield file
    except OSError as error:
        raise StyleFileError(f"{printable(path)} cannot be read: {error.strerror or 'no such file'}") from error
    except SafetensorError as error:
        raise StyleFileError(f"{printable(path)} is not a whole safetensors file") from error


def _check_sizes(path: Path) -> None:
    """Opens nothing but a file (a pipe would block), and none with a header that takes long to parse."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise StyleFileError(f"{printable(path)} is not a file")
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if status.st_size < 8 or header > status.st_size:
        raise StyleFileError(f"{printable(path)} is not a whole safetensors file")
    if header > MAXIMUM_HEADER or status.st_size > MAXIMUM_SIZE:
        raise StyleFileError(f"{printable(path)} is too large for a style file")


def _check_name(path: Path) -> None:
    """Refuses what safetensors cannot open."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise StyleFileError(f"{printable(path)}: safetensors opens only names in UTF-8: rename it") from error


def _card(file: Any, path: Path) -> Card:
    try:
        card = Card.from_json((file.metadata() or {})[CARD_KEY])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        problem = "is not a style file: it has no card that stylenet can read"
        raise StyleFileError(f"{printable(path)} {problem}") from error
    if card.network.architecture not in NETWORKS:
        name = printable(card.network.architecture)[:MAXIMUM_NAME]
        raise StyleFileError(
            f"{printable(path)} has the architecture {name}, which this version of stylenet does not know"
        )
    return card


def _network_for(file: Any, path: Path, settings: NetworkSettings) -> StyleNetwork:
    """The card's network, still without memory: a card that asks for more than the file holds gets none."""
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118, not a mapping
    found = {name: tuple(value.get_shape()) for name, value in slices.items()}
    if all(value.get_dtype() in ("F32", "F16", "BF16") for value in slices.values()):
        with torch.device("meta"):
            network = build_network(settings)
        if found == {name: tuple(value.shape) for name, value in network.state_dict().items()}:
            return network
    raise StyleFileError(f"{printable(path)}: the weights do not fit the network on its card ({settings})")
