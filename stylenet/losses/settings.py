"""Settings of the loss: its form, its layers, and how much each term weighs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from stylenet.disk import shipped_files
from stylenet.errors import UserError

FORMS = ("scale_free", "johnson")
# Names of the weights in run folders and style files of 0.1.0, where they were settings of their own.
OLD_NAMES = {"content_weight": "content", "style_weight": "style", "tv_weight": "tv", "calm_weight": "stability"}


@dataclass
class LossSettings:
    """The compared layers, the scales, and the weight of each term.

    `weights` has the terms of `stylenet.losses.terms.LOSS_TERMS` as keys; a term that is missing weighs nothing. The
    layers of a term weigh the same unless `…_layer_weights` has a number for each. `form` is described in
    `stylenet.losses.perceptual`. Raises `UserError` for values that cannot be used.
    """

    # With relu3_2 alone, skies fell apart into dark and light patches, and faces with them.
    content_layers: list[str] = field(default_factory=lambda: ["relu2_2", "relu3_2"])
    style_layers: list[str] = field(default_factory=lambda: ["relu1_2", "relu2_2", "relu3_3", "relu4_1"])
    content_layer_weights: list[float] = field(default_factory=list)  # default: equal
    style_layer_weights: list[float] = field(default_factory=list)  # default: equal
    form: str = "scale_free"  # or johnson: the paper's terms
    content_scale: int = 1  # content is compared on means over squares of so many pixels
    flat_content: float = 1.0  # what content counts where a photo is flat, of what it counts at strong edges
    lightness: float = 1.0  # largest factor by which a dull photograph of a painting is made lighter
    chroma: float = 1.0  # factor on the colors of the painting that is learned from: results are paler than it
    style_scales: list[int] = field(default_factory=lambda: [1])  # the same for style, at each of these scales
    full_size_layers: list[str] = field(default_factory=list)  # style layers at scale 1; default: all style layers
    style_tile: int = 0  # side in pixels of the tiles in which style is compared; 0: whole images
    balanced: bool = False  # Gram distances over both norms, so that low contrast is not rewarded
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "content": 1.0,  # of the energy of the photo's features
            "style": 12.0,  # of the geometric mean of the painting's measure and the photos'
            "tv": 0.08,  # without it, long runs mix colors as lines of 4 px instead of in strokes
            "stability": 6.0,  # of the squared contrast: what differs by a tenth of it costs 0.06
        }
    )

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise UserError(f"loss.form must be one of {', '.join(FORMS)}, got {self.form}")
        self.weights = dict(self.weights)
        for name, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise UserError(f"loss.weights.{name} must be 0 or more, and finite, got {weight}")
        scales = (*self.style_scales, self.content_scale)
        if not self.style_scales or len(set(self.style_scales)) < len(self.style_scales) or min(scales) < 1:
            raise UserError("loss.style_scales must be different numbers, and with loss.content_scale at least 1")
        if self.style_tile < 0:
            raise UserError(f"loss.style_tile must be 0 or more, got {self.style_tile}")
        if not 0 <= self.flat_content <= 1:
            raise UserError(f"loss.flat_content must be 0 to 1, got {self.flat_content}")
        if not 1 <= self.lightness < math.inf:
            raise UserError(f"loss.lightness must be 1 or more, and finite, got {self.lightness}")
        if not 0 <= self.chroma < math.inf:
            raise UserError(f"loss.chroma must be 0 or more, and finite, got {self.chroma}")
        self.layer_weights("content"), self.layer_weights("style")

    @property
    def layers(self) -> set[str]:
        """All layers of the loss network that the terms need."""
        return {*self.content_layers, *self.style_layers, *self.full_size_layers}

    def style_weights(self, scale: int) -> dict[str, float]:
        """The style layers at a scale, and their weights."""
        if scale > 1 or not self.full_size_layers:
            return self.layer_weights("style")
        return {layer: 1 / len(self.full_size_layers) for layer in self.full_size_layers}

    @classmethod
    def from_card(cls, values: Mapping[str, Any]) -> "LossSettings":
        """The settings on a style file's card, also on one older than some term: that term then weighs nothing."""
        return cls(**upgrade_loss({"weights": {}, **values}))

    def layer_weights(self, term: str) -> dict[str, float]:
        """The layers of a term and their weights; `scale_free` takes their mean, `johnson` their sum."""
        layers, weights = getattr(self, f"{term}_layers"), getattr(self, f"{term}_layer_weights")
        weights = weights or [1.0] * len(layers)
        if not layers or len(weights) != len(layers) or len(set(layers)) < len(layers):
            raise UserError(f"loss.{term}_layers must be different layers, with a weight for each or none at all")
        if not all(0 < weight < math.inf for weight in weights):
            raise UserError(f"loss.{term}_layer_weights must be more than 0, got {min(weights)}")
        whole = sum(weights) if self.form == "scale_free" else 1.0
        return {layer: weight / whole for layer, weight in zip(layers, weights, strict=True)}


def upgrade_loss(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the loss, maybe of 0.1.0, with its weights in one mapping."""
    old = {name: value for key, name in OLD_NAMES.items() if (value := values.get(key)) is not None}
    current = {key: value for key, value in values.items() if key not in OLD_NAMES}
    return {**current, "weights": {**(values.get("weights") or {}), **old}}


def loss_preset(name: str = "scale_free") -> LossSettings:
    """The settings of `configs/loss/NAME.yaml`; the default of training where none is named."""
    return LossSettings(**yaml.safe_load((shipped_files() / "configs" / "loss" / f"{name}.yaml").read_text()))
