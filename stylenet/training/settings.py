"""Every setting of a training run: its name, its type, its default range. `configs/` holds the values.

Hydra composes a run's settings from the YAML files and the command line, against these classes.
"""

from dataclasses import dataclass, field
from typing import Any

from stylenet.losses.settings import OLD_NAMES, LossSettings

MISSING: Any = "???"  # what OmegaConf takes for a value that has to be given


@dataclass
class Style:
    """A painting. Its path is seen from the working directory, or else from the source tree."""

    image: str = MISSING
    name: str | None = None  # of the style file; taken from the image's name when none is given
    suffix: str = ""  # put behind that name, for a network that is not the full one
    title: str | None = None
    artist: str | None = None
    year: str | None = None
    source: str | None = None
    size: int = 384  # the short side, in pixels, at which the loss network sees the painting: the size of its strokes


@dataclass
class Data:
    """Photos to train on: the built-in sample, a folder, or a data set of the Hugging Face hub."""

    source: str = "sample"  # sample, folder or hub
    path: str | None = None  # of the folder, or name of the hub's data set
    split: str = "train"  # hub only
    column: str = "image"  # hub only
    revision: str | None = None  # hub only: a commit, so that equal runs see equal photos
    streaming: bool = True  # hub only: read while training instead of downloading first
    limit: int | None = None  # at most so many photos
    credits: list[str] = field(default_factory=list)  # sets and licenses, for the style file; the source's own if none
    size: int = 288  # photos are kept at this short side, in pixels
    memory: int | None = None  # bytes for decoded photos; a quarter of the machine's


@dataclass
class Network:
    """See `stylenet.models.network.NetworkSettings`."""

    width: int = MISSING
    blocks: int = MISSING
    fold: int = MISSING
    architecture: str = "transformer"  # a key of stylenet.models.registry.NETWORKS


@dataclass
class LossNetwork:
    architecture: str = "vgg19"  # vgg19 or vgg16
    weights: str = "auto"  # auto, torchvision, or a file


@dataclass
class Logging:
    """Trackers of a run, beside its `metrics.csv`. See `stylenet.training.loggers`."""

    use: dict[str, Any] = field(default_factory=dict)  # class and arguments of each tracker, by name: configs/logger/
    wandb: bool | None = None  # false: without Weights & Biases; true: with it
    project: str | None = None  # name or team/name; stylenet if none is given
    entity: str | None = None  # the team
    tags: list[str] = field(default_factory=list)
    sheet_every: int | None = None  # steps between two contact sheets; a twentieth of the run if none is given


@dataclass
class Length:
    """How long a run is: one of the two."""

    steps: int | None = None
    minutes: float | None = None


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """The settings in a run folder, maybe of an older version, in which what the loss then lacked weighs nothing."""
    loss = dict(values.get("loss", {}))
    weights = {**dict.fromkeys(LossSettings().weights, 0.0), **loss.pop("weights", {})}
    weights |= {name: loss.pop(old) for old, name in OLD_NAMES.items() if loss.get(old) is not None}
    return {**values, "loss": {**loss, "weights": weights}}


@dataclass
class Settings:
    """The whole run. One of `steps` and `minutes` gives its length; with neither, the budget does."""

    style: Style = field(default_factory=Style)
    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    loss_network: LossNetwork = field(default_factory=LossNetwork)
    loss: LossSettings = field(default_factory=LossSettings)
    trainer: dict[str, Any] = field(default_factory=dict)  # handed to Lightning's Trainer
    logger: Logging = field(default_factory=Logging)
    budget: Length = field(default_factory=Length)
    steps: int | None = None
    minutes: float | None = None
    batch: int = MISSING
    crop: int = MISSING  # pixels, square
    learning_rate: float = MISSING
    seed: int = 0
    init: str | None = None  # a style to start from, by name or file; auto: a trained base; none: random weights
    replace: bool = False  # an existing file in checkpoints/
    objective: str = "held_out/content+held_out/style"  # what a search over settings minimizes: held-out figures
    resume: str | None = None  # a run's last.ckpt
