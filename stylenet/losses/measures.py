"""The measures that loss terms are made of: Gram matrices, total variation, contrast, tone, distances, scales."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylenet.models.luminance import luminance

FLAT = 1e-4  # variance: a standard deviation of 2.5 of 255
TONE = 8  # pixels
SMALLEST_SIDE = 16  # pixels, of an image that is compared after shrinking
AROUND = 17  # pixels
FAINT = 0.02  # change of the luminance from pixel to pixel: 5 of 255
SHORTEST = 0.2  # of the reference's norm, in `balanced_distance`


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
    """Mean variance of a color within each image, clamped below at `FLAT`.

    Normalizes terms that low contrast alone would reduce.
    """
    return images.float().var((2, 3)).mean(1).clamp_min(FLAT)


def squared_distance(x: Tensor, reference: Tensor) -> Float[Tensor, ""]:
    """Squared distance to the reference over the reference's own energy, averaged over the batch."""
    x, reference = x.float().flatten(1), reference.float().flatten(1)
    return ((x - reference).square().sum(1) / reference.square().sum(1).clamp_min(1e-12)).mean()


def balanced_distance(x: Tensor, reference: Tensor) -> Float[Tensor, ""]:
    """Squared distance over the product of both norms, averaged over the batch.

    Relative to the reference alone, an error in the wrong direction is smaller the shorter `x` is, which rewards low
    contrast wherever a network cannot make the right strokes. Here the right length is the best in any direction.
    """
    x, reference = x.float().flatten(1), reference.float().flatten(1)
    energy = reference.square().sum(1).clamp_min(1e-12)
    product = (x.square().sum(1) * energy + 1e-20).sqrt()
    return ((x - reference).square().sum(1) / torch.maximum(product, SHORTEST * energy)).mean()


def mean_squared_distance(x: Tensor, reference: Tensor) -> Float[Tensor, ""]:
    """Squared distance over the number of numbers compared."""
    return (x.float() - reference.float()).square().mean()


def tone_distance(stylized: Float[Tensor, "b 3 h w"], photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """One minus the correlation of both luminances, as means over squares of `TONE` pixels: 0 to 2.

    Colors, contrast and everything smaller stay free. Near 1 where a photo is flat.
    """
    scale = TONE if fits(photos, TONE, 2) else 1
    both = [luminance(downsample(images.float(), scale)).flatten(1) for images in (stylized, photos)]
    first, second = (tones - tones.mean(1, keepdim=True) for tones in both)
    energies = [tones.square().mean(1).clamp_min(FLAT) for tones in (first, second)]
    return 1 - (first * second).mean(1) / (energies[0] * energies[1]).sqrt()


def detail(photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """How much detail a photo has around each pixel: 0 in a flat area, toward 1 at strong edges.

    The mean gradient of the luminance over squares of `AROUND` pixels, divided by itself plus `FAINT`.
    """
    tones = F.avg_pool2d(F.pad(luminance(photos.float())[:, None], (1, 1, 1, 1), mode="replicate"), 3, 1)  # less noise
    down, across = (F.pad(tones.diff(dim=dim).abs(), pad) for dim, pad in ((2, (0, 0, 0, 1)), (3, (0, 1, 0, 0))))
    around = F.avg_pool2d(down + across, AROUND, 1, AROUND // 2, count_include_pad=False)
    return around / (around + FAINT)


def fits(images: Float[Tensor, "b c h w"], scale: int, side: int = SMALLEST_SIDE) -> bool:
    """Whether at least `side` pixels are left of the short side at this scale."""
    return min(images.shape[2:]) // scale >= side


def downsample(images: Float[Tensor, "b c h w"], scale: int) -> Float[Tensor, "b c h2 w2"]:
    """Means over squares of `scale` pixels; a remainder at the right and bottom is left out."""
    return F.avg_pool2d(images, scale) if scale > 1 else images


def split_into_tiles(features: Float[Tensor, "b c h w"], across: int) -> Float[Tensor, "n c h2 w2"]:
    """Cut into `across` parts each way; a remainder at the right and bottom is left out."""
    across = min(across, *features.shape[2:])
    if across == 1:
        return features
    height, width = (side // across for side in features.shape[2:])
    cut = features[..., : across * height, : across * width]
    cut = cut.reshape(*features.shape[:2], across, height, across, width)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
