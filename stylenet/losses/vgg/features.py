"""VGG as a loss network (Simonyan & Zisserman 2015): images in, features of named layers out."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.errors import UserError
from stylenet.losses.vgg.weights import VGGWeights


class VGGFeatures(nn.Module):
    """The frozen features of a VGG, as far as its weights go.

    Takes RGB in [0, 1]; the normalization its weights want is done inside. The weights are buffers that are
    not saved: a checkpoint of the training holds no VGG.
    """

    mean: Tensor
    std: Tensor
    conv1_1_weight: Tensor

    def __init__(self, weights: VGGWeights) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(weights.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(weights.std).view(1, 3, 1, 1), persistent=False)
        self.layers = [name.replace("conv", "relu") for name in weights.convolutions]
        for name, (weight, bias) in weights.convolutions.items():
            self.register_buffer(f"{name}_weight", weight, persistent=False)
            self.register_buffer(f"{name}_bias", bias, persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"], layers: Iterable[str]) -> dict[str, Tensor]:
        """The features (b c h' w') of the asked layers, which must be among `self.layers`."""
        wanted = self.check_layers(layers)
        features: dict[str, Tensor] = {}
        x = ((images - self.mean) / self.std).to(self.conv1_1_weight.dtype)
        for layer in self.layers[: max(map(self.layers.index, wanted), default=-1) + 1]:
            x = self._convolve(x, layer)
            if layer in wanted:
                features[layer] = x
        return features

    def cast(self, dtype: torch.dtype) -> None:
        """Puts the convolutions into `dtype` and channels_last; the normalization of the input stays in fp32."""
        for name, buffer in self.named_buffers():
            if name not in ("mean", "std"):
                layout = torch.channels_last if buffer.dim() == 4 else torch.preserve_format
                setattr(self, name, buffer.to(dtype, memory_format=layout))

    def check_layers(self, layers: Iterable[str]) -> set[str]:
        """Raises `UserError` for a layer that these weights do not reach."""
        wanted = set(layers)
        if unknown := sorted(wanted - set(self.layers)):
            reach = f"{self.layers[0]} … {self.layers[-1]}"
            raise UserError(f"the loss network's weights hold the layers {reach}, not {', '.join(unknown)}")
        return wanted

    def _convolve(self, x: Tensor, layer: str) -> Tensor:
        if layer.endswith("_1") and layer != "relu1_1":
            x = F.max_pool2d(x, 2)
        name = layer.replace("relu", "conv")
        return F.conv2d(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"), padding=1).relu()
