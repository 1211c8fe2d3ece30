"""The perceptual loss of Johnson et al. 2016: content, Gram style, total variation.

Two forms, by `LossSettings.form`:

- `scale_free` (default): every term is a ratio, so the numbers mean the same for any loss network and layer. Content:
  squared distance to the photo's features over their own energy. Style: squared distance to the painting's Gram matrix
  over its own squared norm, in units of `style_unit`. 0 is the photo (the painting) itself. Grams are taken about the
  painting's mean features (the shift of Novak & Nikulin 2016, fitted to the painting): around zero they are mostly
  the product of the means, a relative distance hardly sees their spread, and networks learn one dull color.
- `johnson`: the paper's terms as the field's code has them (mean squared distances, Gram over c·h·w), for comparison.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import yaml
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.disk import SOURCE_TREE
from stylenet.errors import UserError
from stylenet.losses.vgg import VGGFeatures

FORMS = ("scale_free", "johnson")
FLAT = 1e-4  # a standard deviation of 2.5 of 255


@dataclass(frozen=True)
class LossSettings:
    """What is compared, where, and how much each term weighs."""

    content_layers: Sequence[str]
    style_layers: Sequence[str]
    content_layer_weights: Sequence[float] = ()
    style_layer_weights: Sequence[float] = ()
    form: str = "scale_free"
    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 0.0
    calm_weight: float = 0.0  # of stylenet.losses.stability, which the training adds: it needs the network

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise UserError(f"loss.form must be one of {', '.join(FORMS)}, got {self.form}")
        for name in ("content_weight", "style_weight", "tv_weight", "calm_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"loss.{name} must be 0 or more, and finite, got {getattr(self, name)}")
        self.layer_weights("content"), self.layer_weights("style")

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


def loss_preset(name: str = "scale_free") -> LossSettings:
    """The settings of `configs/loss/`, for those who do not come by Hydra; training's default where none is named."""
    return LossSettings(**yaml.safe_load((SOURCE_TREE / "configs" / "loss" / f"{name}.yaml").read_text()))


def gram_matrix(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c c"]:
    """Inner products of the channels, divided by h·w, in fp32.

    Features in bf16 are multiplied as they are, in half the time: a product is right to 0.4 %, where the distances that
    are learned from are tens of per cent. In fp16 the sums would overflow.
    """
    flat = (features if features.dtype == torch.bfloat16 else features.float()).flatten(2)
    with torch.autocast(features.device.type, enabled=False):
        return (flat @ flat.transpose(1, 2)).float() / flat.shape[2]


def total_variation(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Mean absolute difference of neighboring pixels, down plus across (Mahendran & Vedaldi 2015, beta 1)."""
    down, across = (images.diff(dim=dim).abs().mean((1, 2, 3)) for dim in (2, 3))
    return down + across


def contrast(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Mean variance of a color within each picture, not below that of one which nobody could tell from a flat one.

    Terms that a duller picture would please are taken relative to it.
    """
    return images.float().var((2, 3)).mean(1).clamp_min(FLAT)


def squared_distance(x: Tensor, reference: Tensor) -> Float[Tensor, ""]:
    """Squared distance to the reference over the reference's own energy, averaged over the batch."""
    x, reference = x.float().flatten(1), reference.float().flatten(1)
    return ((x - reference).square().sum(1) / reference.square().sum(1).clamp_min(1e-12)).mean()


def mean_squared_distance(x: Tensor, reference: Tensor) -> Float[Tensor, ""]:
    """Squared distance over the number of numbers compared."""
    return (x.float() - reference.float()).square().mean()


class Losses(NamedTuple):
    """One evaluation of the criterion: its terms (scalars), without their weights; `tv` of `scale_free` is relative."""

    content: Tensor
    style: Tensor
    tv: Tensor

    def weighted(self, settings: LossSettings) -> dict[str, Tensor]:
        """The terms times their weights, and their sum under `total`."""
        terms = {
            "content": settings.content_weight * self.content,
            "style": settings.style_weight * self.style,
            "tv": settings.tv_weight * self.tv,
        }
        return {**terms, "total": torch.stack(list(terms.values())).sum()}


class PerceptualLoss(nn.Module):
    """Compares stylized pictures with their photos and with one painting.

    `painting` and all pictures are RGB in [0, 1]. The painting's Gram matrices are computed once, here; what the style
    term counts in, `style_unit`, is 1 until `stylenet.losses.criterion` measures it.
    """

    style_unit: Tensor

    def __init__(self, vgg: VGGFeatures, painting: Float[Tensor, "1 3 h w"], settings: LossSettings) -> None:
        super().__init__()
        self.vgg, self.settings = vgg, settings
        self.content_weights = settings.layer_weights("content")
        self.style_weights = settings.layer_weights("style")
        self.distance = squared_distance if settings.form == "scale_free" else mean_squared_distance
        self.register_buffer("style_unit", torch.ones((), device=painting.device), persistent=False)
        with torch.no_grad():
            features = vgg(painting, self.style_weights)
        for layer, feature in features.items():
            center = feature.float().mean((2, 3), keepdim=True) * (settings.form == "scale_free")
            self.register_buffer(f"center_{layer}", center, persistent=False)
            self.register_buffer(f"gram_{layer}", self.gram(layer, feature), persistent=False)

    def forward(self, stylized: Float[Tensor, "b 3 h w"], photos: Float[Tensor, "b 3 h w"]) -> Losses:
        content_weights, style_weights = self.content_weights, self.style_weights
        with torch.no_grad():
            references = self.vgg(photos, content_weights)
        features = self.vgg(stylized, {*content_weights, *style_weights})
        content = {layer: self.distance(features[layer], references[layer]) for layer in references}
        style = {layer: self.style_distance(layer, features[layer]) for layer in style_weights}
        tv = total_variation(stylized)
        if self.settings.form == "scale_free":
            tv = tv / contrast(stylized).sqrt()
        return Losses(
            weighted_sum(content, content_weights), weighted_sum(style, style_weights) / self.style_unit, tv.mean()
        )

    def gram(self, layer: str, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c c"]:
        """The Gram matrices as the chosen form has them."""
        gram = gram_matrix(features - self.get_buffer(f"center_{layer}").to(features.dtype))
        return gram if self.settings.form == "scale_free" else gram / features.shape[1]

    def style_distance(self, layer: str, features: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """Distance of a layer's Gram matrices to the painting's."""
        gram = self.gram(layer, features)
        return self.distance(gram, self.get_buffer(f"gram_{layer}").expand_as(gram))


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Float[Tensor, ""]:
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()
