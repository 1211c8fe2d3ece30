"""The perceptual loss of Johnson et al. 2016: content, Gram style, total variation, and further terms.

Two forms, by `LossSettings.form`:

- `scale_free` (default): every term is a ratio, so the numbers mean the same for any loss network and layer. Content:
  squared distance to the photo's features over their own energy. Style: squared distance to the painting's Gram matrix
  over its own squared norm, in units of `style_unit`. 0 is the photo (the painting) itself. Grams are taken about the
  painting's mean features (the shift of Novak & Nikulin 2016, fitted to the painting): around zero they are mostly
  the product of the means, a relative distance hardly sees their spread, and networks learn one dull color.
  With `balanced`, over the product of both norms, so that low contrast is not rewarded.
- `johnson`: the paper's terms as the field's code has them (mean squared distances, Gram over c·h·w), for comparison.
"""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.errors import UserError
from stylenet.losses.measures import (
    balanced_distance,
    downsample,
    fits,
    gram_matrix,
    mean_squared_distance,
    squared_distance,
)
from stylenet.losses.settings import LossSettings, loss_preset
from stylenet.losses.terms import LOSS_TERMS, StepContext
from stylenet.losses.vgg import VGGFeatures
from stylenet.media.lab import raise_lightness, with_chroma

__all__ = [
    "LossSettings",
    "PerceptualLoss",
    "gram_matrix",
    "loss_preset",
    "mean_squared_distance",
    "squared_distance",
]


class PerceptualLoss(nn.Module):
    """Compares stylized images with their photos and with one painting.

    `painting` and all images are RGB in [0, 1]. The painting's features are computed once, here. The units of
    terms such as style (`style_unit`) are 1 until `stylenet.losses.criterion` measures them. Raises `UserError` for a
    weight of a term that does not exist.
    """

    style_unit: Tensor

    def __init__(self, vgg: VGGFeatures, painting: Float[Tensor, "1 3 h w"], settings: LossSettings) -> None:
        super().__init__()
        check_terms(settings.weights)
        self.vgg, self.settings = vgg, settings
        self.content_weights = settings.layer_weights("content")
        self.style_weights = {
            scale: settings.style_weights(scale)
            for scale in settings.style_scales
            if fits(painting, scale) or scale == min(settings.style_scales)
        }
        self.distance = squared_distance if settings.form == "scale_free" else mean_squared_distance
        self.gram_distance = balanced_distance if settings.balanced else self.distance
        for name in (name for name, term in LOSS_TERMS.items() if term.in_units):
            self.register_buffer(f"{name}_unit", torch.ones((), device=painting.device), persistent=False)
        self.register_painting(painting)

    @torch.no_grad()
    def register_painting(self, painting: Float[Tensor, "1 3 h w"]) -> None:
        """Keeps what the terms need of the painting."""
        painting = with_chroma(raise_lightness(painting, self.settings.lightness), self.settings.chroma)
        features = self.features(painting)
        for scale, layer in ((scale, layer) for scale, layers in self.style_weights.items() for layer in layers):
            feature = features[scale][layer]
            center = feature.float().mean((2, 3), keepdim=True) * (self.settings.form == "scale_free")
            self.register_buffer(f"center_{layer}_{scale}", center, persistent=False)
            self.register_buffer(f"gram_{layer}_{scale}", self.gram(layer, scale, feature), persistent=False)
        step = StepContext(self, painting, painting, features, {})
        for name in self.terms:
            prepare = LOSS_TERMS[name].prepare
            for key, value in prepare(step).items() if prepare else ():
                self.register_buffer(f"painting_{name}_{key}", value, persistent=False)

    def content_scale(self, images: Float[Tensor, "b 3 h w"]) -> int:
        """The scale at which content is compared: 1 for images that are too small."""
        return self.settings.content_scale if fits(images, self.settings.content_scale) else 1

    def style_scales(self, images: Float[Tensor, "b 3 h w"]) -> list[int]:
        """The scales at which style is compared, less those for which the images are too small."""
        return [scale for scale in self.style_weights if fits(images, scale)] or [min(self.style_weights)]

    def features(self, stylized: Float[Tensor, "b 3 h w"]) -> dict[int, dict[str, Tensor]]:
        """The loss network's features that the terms compare, by scale and layer."""
        layers: dict[int, set[str]] = {scale: set(self.style_weights[scale]) for scale in self.style_scales(stylized)}
        layers.setdefault(self.content_scale(stylized), set()).update(self.content_weights)
        return {scale: self.vgg(downsample(stylized, scale), layers[scale]) for scale in sorted(layers)}

    @torch.no_grad()
    def references(self, photos: Float[Tensor, "b 3 h w"]) -> dict[str, Tensor]:
        """The photos' features that content is compared with, by layer."""
        found: dict[str, Tensor] = self.vgg(downsample(photos, self.content_scale(photos)), self.content_weights)
        return found

    @property
    def terms(self) -> list[str]:
        """Names of the terms with a weight above 0."""
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
        step = StepContext(
            self, photos, stylized, self.features(stylized), self.references(photos), network, number, share
        )
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

    def gram(self, layer: str, scale: int, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c c"]:
        """The Gram matrices as the chosen form has them."""
        gram = gram_matrix(features - self.get_buffer(f"center_{layer}_{scale}").to(features.dtype))
        return gram if self.settings.form == "scale_free" else gram / features.shape[1]

    def style_distance(self, layer: str, scale: int, features: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """Distance of a layer's Gram matrices to the painting's, at a scale."""
        gram = self.gram(layer, scale, features)
        return self.gram_distance(gram, self.get_buffer(f"gram_{layer}_{scale}").expand_as(gram))


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
    always = [name for name, term in LOSS_TERMS.items() if term.every == 1 and not term.needs_network]
    if not any(weights.get(name, 0) for name in always):
        raise UserError(f"loss.weights: one of the terms that every step has must be more than 0: {', '.join(always)}")
