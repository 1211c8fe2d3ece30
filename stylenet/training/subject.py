"""What a run learns: one painting, many for one network, or a further one for such a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from stylenet.losses.vgg import VGGWeights
from stylenet.models.catalog import StyleReference
from stylenet.models.style_file import Card
from stylenet.training.checks import Machine
from stylenet.training.module import StyleTransferModule
from stylenet.training.settings import Settings

Build = Callable[[Settings, Machine, VGGWeights], StyleTransferModule]


@dataclass(frozen=True)
class Subject:
    """The painting or paintings of a run, read into memory, and all that depends on how many there are.

    `place` is where the style file is published. `facts` are those of the card about the paintings, `inputs` their
    hashes, which must be the same for a resumed run. `shown` is what contact sheets have beside the photos. `style` is
    the style of many that the last line of the run names. A network that gets a further style has the `card` of
    before, and its file, if that is to be replaced, the hash `replaced`.
    """

    name: str
    place: Path
    facts: Mapping[str, Any]
    inputs: Mapping[str, Any]
    shown: Float[Tensor, "1 3 p q"]
    build: Build
    base: StyleReference | None = None
    style: str | None = None
    card: Card | None = None
    replaced: str | None = None
