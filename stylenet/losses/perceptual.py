"""The perceptual loss of Johnson et al. 2016: content, Gram style, total variation, and further terms.

Two forms, by `LossSettings.form`:

- `scale_free` (default): every term is a ratio, so the numbers mean the same for any loss network and layer. Content:
  squared distance to the photo's features over their own energy. Style: squared distance to the painting's Gram matrix
  over its own squared norm, in units of `style_unit`. 0 is the photo (the painting) itself. Grams are taken about the
  painting's mean features (the shift of Novak & Nikulin 2016, fitted to the painting): around zero they are mostly
  the product of the means, a relative distance hardly sees their spread, and networks learn one dull color.
- `johnson`: the paper's terms as the field's code has them (mean squared distances, Gram over c·h·w), for comparison.
"""

from collections.abc import Collection, Mapping

import torch
import yaml
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.disk import shipped_files
from stylenet.errors import UserError
from stylenet.losses.measures import contrast, gram_matrix, mean_squared_distance, squared_distance, total_variation
from stylenet.losses.settings import LossSettings
from stylenet.losses.terms import LOSS_TERMS, StepContext, weighted_sum
from stylenet.losses.vgg import VGGFeatures

__all__ = [
    "LossSettings",
    "PerceptualLoss",
    "contrast",
    "gram_matrix",
    "loss_preset",
    "mean_squared_distance",
    "squared_distance",
    "total_variation",
    "weighted_sum",
]


def loss_preset(name: str = "scale_free") -> LossSettings:
    """The settings of `configs/loss/`, for those that do not come by Hydra; the defaults where none is named."""
    if name == "scale_free":
        return LossSettings()
    return LossSettings(**yaml.safe_load((shipped_files() / "configs" / "loss" / f"{name}.yaml").read_text()))


class PerceptualLoss(nn.Module):
    """Compares stylized images with their photos and with one painting.

    `painting` and all images are RGB in [0, 1]. The painting's Gram matrices are computed once, here. The units of
    terms such as style (`style_unit`) are 1 until `stylenet.losses.criterion` measures them. Raises `UserError` for a
    weight of a term that does not exist.
    """

    style_unit: Tensor

    def __init__(self, vgg: VGGFeatures, painting: Float[Tensor, "1 3 h w"], settings: LossSettings) -> None:
        super().__init__()
        check_terms(settings.weights)
        self.vgg, self.settings = vgg, settings
        self.content_weights = settings.layer_weights("content")
        self.style_weights = settings.layer_weights("style")
        self.distance = squared_distance if settings.form == "scale_free" else mean_squared_distance
        for name in (name for name, term in LOSS_TERMS.items() if term.in_units):
            self.register_buffer(f"{name}_unit", torch.ones((), device=painting.device), persistent=False)
        with torch.no_grad():
            features = vgg(painting, self.style_weights)
        for layer, feature in features.items():
            center = feature.float().mean((2, 3), keepdim=True) * (settings.form == "scale_free")
            self.register_buffer(f"center_{layer}", center, persistent=False)
            self.register_buffer(f"gram_{layer}", self.gram(layer, feature), persistent=False)

    @property
    def terms(self) -> list[str]:
        """The terms that weigh anything."""
        return [name for name in LOSS_TERMS if self.settings.weights.get(name, 0) > 0]

    def forward(
        self,
        stylized: Float[Tensor, "b 3 h w"],
        photos: Float[Tensor, "b 3 h w"],
        terms: Collection[str] | None = None,
        *,
        network: nn.Module | None = None,
        number: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> dict[str, Tensor]:
        """The values of the terms, scalars without their weights: of `terms`, or of those that weigh anything.

        Terms that need the network are left out where it is not given, and costly ones between their turns. See
        `StepContext` for the rest.
        """
        with torch.no_grad():
            references = self.vgg(photos, self.content_weights)
        features = self.vgg(stylized, {*self.content_weights, *self.style_weights})
        step = StepContext(self, photos, stylized, features, references, network, number, share)
        chosen = self.terms if terms is None else terms
        return {name: self.value(name, step) for name in chosen if is_due(name, step)}

    def value(self, name: str, step: StepContext) -> Float[Tensor, ""]:
        """One term, in its unit."""
        term = LOSS_TERMS[name]
        measured = term.measure(step)
        return measured / self.get_buffer(f"{name}_unit") if term.in_units else measured

    def weighted(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The values times their weights."""
        return {name: self.settings.weights.get(name, 0.0) * value for name, value in values.items()}

    def total(self, stylized: Float[Tensor, "b 3 h w"], photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
        """The weighted sum of the terms that need no network."""
        return torch.stack(list(self.weighted(self(stylized, photos)).values())).sum()

    def gram(self, layer: str, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c c"]:
        """The Gram matrices as the chosen form has them."""
        gram = gram_matrix(features - self.get_buffer(f"center_{layer}").to(features.dtype))
        return gram if self.settings.form == "scale_free" else gram / features.shape[1]

    def style_distance(self, layer: str, features: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """Distance of a layer's Gram matrices to the painting's."""
        gram = self.gram(layer, features)
        return self.distance(gram, self.get_buffer(f"gram_{layer}").expand_as(gram))


def is_due(name: str, step: StepContext) -> bool:
    """Whether a term is taken at this step."""
    term = LOSS_TERMS[name]
    return step.number % term.every == 0 and (step.network is not None or not term.needs_network)


def check_terms(weights: Mapping[str, float]) -> None:
    """Raises `UserError` for a weight of a term that does not exist, and where nothing weighs anything."""
    if unknown := sorted(set(weights) - set(LOSS_TERMS)):
        raise UserError(f"loss.weights.{unknown[0]} is not a term of the loss; terms: {', '.join(LOSS_TERMS)}")
    if not any(weights.values()):
        raise UserError(f"loss.weights: at least one of {', '.join(LOSS_TERMS)} must be more than 0")
