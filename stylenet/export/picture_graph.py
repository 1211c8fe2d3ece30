"""A network that takes and gives images as files and screens hold them: bytes, channels last."""

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from stylenet.models.conditional import ConditionalNet, ConditionalNorm
from stylenet.models.uniform_images import extremes, replace_uniform_images


class PlainConditionalNorm(ConditionalNorm):
    """A conditional norm by PyTorch's instance norm, for scales and shifts of each image."""

    def forward(
        self, x: Float[Tensor, "b c h w"], scale: Float[Tensor, "b c"], shift: Float[Tensor, "b c"]
    ) -> Float[Tensor, "b c h w"]:
        return F.instance_norm(x) * scale[..., None, None] + shift[..., None, None]


class PhotoGraph(nn.Module):
    """A network that meets images on which nothing can be seen quite even, as `Stylizer` has it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = exportable(network)

    def forward(self, photos: Float[Tensor, "b 3 h w"], *weights: Tensor) -> Float[Tensor, "b 3 h w"]:
        stylized: Tensor = self.network(replace_uniform_images(photos, extremes(photos)), *weights)
        return stylized


class PictureGraph(nn.Module):
    """Maps `uint8` images `b h w c` to stylized ones of the same shape. With four channels, alpha is kept as it is.

    A network of many styles takes blend weights `b styles` beside them.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = PhotoGraph(network)

    def forward(
        self, picture: UInt8[Tensor, "b h w c"], weights: Float[Tensor, "b styles"] | None = None
    ) -> UInt8[Tensor, "b h w c"]:
        photos = picture[..., :3].permute(0, 3, 1, 2).float() / 255
        stylized = (self.network(photos) if weights is None else self.network(photos, weights)).permute(0, 2, 3, 1)
        whole = (stylized * 255).round().clamp(0, 255).to(torch.uint8)
        return torch.cat([whole, picture[..., 3:]], -1) if picture.shape[-1] == 4 else whole


def exportable(network: nn.Module) -> nn.Module:
    """A copy in fp32 with PyTorch's own instance norm, which exports as one operator and for any batch.

    The package's own takes batch norm for a single image, a choice that an export would fix forever.
    """
    result = copy.deepcopy(network).float().cpu().eval()
    for parent in list(result.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                setattr(parent, name, plain_norm(child))
            elif isinstance(child, ConditionalNorm):
                setattr(parent, name, PlainConditionalNorm(child.channels))
    if isinstance(result, ConditionalNet):
        result.predictor = None  # no part of what is exported
    return result.requires_grad_(False)


def plain_norm(norm: nn.InstanceNorm2d) -> nn.InstanceNorm2d:
    result = nn.InstanceNorm2d(norm.num_features, norm.eps, affine=True)
    result.load_state_dict(norm.state_dict())
    return result.eval()
