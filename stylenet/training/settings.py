"""Every setting of a training run: its name, its type, its default. `configs/` holds presets that differ from these.

Hydra composes a run's settings from the YAML files and the command line, against these classes. Nothing here needs
Hydra, nor torch.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Any

import yaml

from stylenet.data.settings import PhotoSettings
from stylenet.disk import shipped_files
from stylenet.losses.settings import LossSettings, loss_preset
from stylenet.losses.settings import upgrade_loss as upgraded_loss
from stylenet.training.objective import current_objective

MISSING: Any = "???"  # what OmegaConf takes for a value that has to be given
ONE_DEVICE = {"accelerator": "auto", "devices": 1, "precision": None}
CONFIGS = shipped_files() / "configs"


@dataclass
class Style:
    """A painting. Its path is seen from the working directory, or else from the source tree."""

    image: str = MISSING  # the painting's file
    name: str | None = None  # of the style file; the image's if none is given
    suffix: str = ""  # put behind the name, for smaller networks
    title: str | None = None  # this and the next five: facts for the model card
    artist: str | None = None
    year: str | None = None
    died: int | None = None  # the year of the artist's death
    source: str | None = None
    license: str | None = None
    size: int = 640  # short side in pixels at which the painting is seen, and so the size of its strokes


@dataclass
class Network:
    """See `stylenet.models.network.NetworkSettings`. `network_preset` has the default of training."""

    width: int = 32  # channels at full resolution
    blocks: int = 5  # residual blocks
    fold: int = 1  # 2: nothing is computed at full resolution
    architecture: str = "transformer"  # key of stylenet.models.registry.NETWORKS, set by network=PRESET
    waves: int = 0  # plane waves of a pattern along which flat areas are filled; 0: none
    margin: int = 12  # pixels by which photos are extended on all sides, so that results have no frames
    black: int | None = None  # luminance, of 255, that is moved to 0 in results; default: their darkest hundredth's


def network_preset(name: str = "full") -> Network:
    """The settings of `configs/network/NAME.yaml`."""
    values = yaml.safe_load((CONFIGS / "network" / f"{name}.yaml").read_text())
    return Network(**values.get("network", values))


@dataclass
class LossNetwork:
    """The network whose features are compared. See `stylenet.losses.vgg.load_vgg_weights`."""

    architecture: str = "vgg19"  # vgg19 or vgg16
    weights: str = "auto"  # auto, torchvision, or a file


@dataclass
class Logging:
    """Trackers of a run, beside its `metrics.csv`. See `stylenet.training.loggers`."""

    use: dict[str, Any] = field(default_factory=dict)  # class and arguments of each tracker, by name: configs/logger/
    wandb: bool | None = None  # false: no Weights & Biases; true: with it
    project: str | None = None  # name or team/name; stylenet if none is given
    entity: str | None = None  # the team
    tags: list[str] = field(default_factory=list)
    sheet_every: int | None = None  # steps between two contact sheets; default: a twentieth of the run


@dataclass
class Length:
    """The length of a run: one of the two."""

    steps: int | None = None
    minutes: float | None = None


def upgrade_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Composed settings, maybe of an older version: weights by their terms, 0 for those that the loss then lacked."""
    values = {"flat_areas": 0.0, **values} if "loss" in values else dict(values)
    if isinstance(values.get("objective"), str):
        values["objective"] = current_objective(values["objective"])
    if "network" in values:
        values["network"] = {"margin": 0, "black": 0, **values["network"]}
    if "loss" not in values:
        return values
    loss = {**asdict(LossSettings()), **upgraded_loss({"weights": {}, **values["loss"]})}
    weights = {**dict.fromkeys(loss_preset().weights, 0.0), **loss["weights"]}
    return {**values, "loss": {**loss, "weights": weights}}


@dataclass
class Settings:
    """The whole run. One of `steps` and `minutes` gives its length; with neither, the budget does.

    `batch`, `crop` and `learning_rate` are the budget's as well where they are not given (`with_budget`).
    """

    style: Style = field(default_factory=Style)
    data: PhotoSettings = field(default_factory=PhotoSettings)
    network: Network = field(default_factory=network_preset)
    loss_network: LossNetwork = field(default_factory=LossNetwork)
    loss: LossSettings = field(default_factory=loss_preset)
    trainer: dict[str, Any] = field(default_factory=lambda: dict(ONE_DEVICE))  # most arguments of Lightning's Trainer
    logger: Logging = field(default_factory=Logging)
    budget: Length = field(default_factory=Length)
    steps: int | None = None  # length of the run; default: that of budget
    minutes: float | None = None  # the same by the clock
    batch: int = MISSING  # photos per step, on all devices together
    crop: int = MISSING  # side of the square crops in pixels
    learning_rate: float = MISSING  # of Adam, at the top of its schedule
    seed: int = 0  # of the first weights, the crops and the noise
    flat_areas: float = 0.3  # share of the photos of which a part is made flat, as skies are
    init: str | None = None  # style to start from, as -s takes it; auto: a shipped one; null: random weights
    replace: bool = False  # true: overwrite the style in checkpoints/
    objective: str = "held_out/content+held_out/style"  # what a search over settings minimizes
    patience: int | None = None  # early stopping: validations without a lower objective that end a run
    resume: str | None = None  # auto (the newest run that was stopped), a run folder, or its last.ckpt
    styles: str | None = None  # folder of paintings for one network of many styles
    add_to: str | None = None  # network of many styles to add the painting to


def style_settings(painting: str | os.PathLike[str]) -> Style:
    """A painting by its file, or by the name of one in `configs/style/`."""
    file = CONFIGS / "style" / f"{painting}.yaml"
    return Style(**yaml.safe_load(file.read_text())) if file.is_file() else Style(image=os.fspath(painting))


def with_budget(settings: Settings, on_gpu: bool, with_init: bool = False) -> Settings:
    """The settings, with those of `configs/budget/` that suit the device where none are given.

    `with_init` takes its network to start from, too: None is a choice there, so it does not tell that none is given.
    """
    preset = budget_preset(on_gpu)
    kinds = {"batch": int, "crop": int, "learning_rate": float}  # YAML takes 2e-3 for a text
    values = {name: kind(preset[name]) for name, kind in kinds.items() if getattr(settings, name) == MISSING}
    length = settings.budget if settings.budget != Length() else preset_length(**preset["budget"])
    start = preset["init"] if with_init else settings.init
    return replace(settings, **values, budget=length, init=start)


def budget_preset(on_gpu: bool) -> dict[str, Any]:
    """The values of `configs/budget/` for a device."""
    values: dict[str, Any] = yaml.safe_load((CONFIGS / "budget" / f"{'gpu' if on_gpu else 'cpu'}.yaml").read_text())
    return values


def preset_length(steps: int | None = None, minutes: float | int | None = None) -> Length:
    """A length as YAML has it, where minutes may be a whole number."""
    return Length(steps, None if minutes is None else float(minutes))


def plain(value: Any) -> Any:
    """Settings as they are written into a run folder: paths are texts, and numbers of NumPy are Python's."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{name: plain(each) for name, each in vars(value).items()})
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def schema() -> Settings:
    """What the presets in `configs/` are put on: what a preset lacks is the class's default, not another preset's."""
    return Settings(loss=LossSettings())
