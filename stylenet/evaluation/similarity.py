"""Similarity of a stylized image to its photo: SSIM of the luminance, and LPIPS where its weights are."""

from statistics import fmean

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from stylenet.errors import UserError
from stylenet.losses.vgg.download import DownloadError, fetch_from_hub
from stylenet.models.luminance import luminance

# Torchvision's AlexNet (IMAGENET1K_V1), which LPIPS takes from torch.hub's cache.
ALEXNET = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
ALEXNET_SHA256 = "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"


@torch.inference_mode()
def ssim(photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]) -> float:
    """Mean structural similarity (Wang et al. 2004): luminance, Gaussian window of 11 px; 1 for the photo itself."""
    return fmean(map(ssim_of_one, photos, stylized))  # one after the other: a batch takes 100 MB a photo at 512 px


def ssim_of_one(photo: Float[Tensor, "3 h w"], stylized: Float[Tensor, "3 h w"]) -> float:
    result = structural_similarity_index_measure(
        luminance(stylized[None])[:, None], luminance(photo[None])[:, None], data_range=1.0
    )
    assert isinstance(result, Tensor)
    return float(result)


@torch.inference_mode()
def lpips(photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]) -> float:
    """Mean LPIPS with AlexNet (Zhang et al. 2018); 0 for the photo itself. Raises `UserError` as `fetch_alexnet`."""
    fetch_alexnet()
    measure = LearnedPerceptualImagePatchSimilarity("alex", normalize=True).to(photos.device)
    pairs = zip(stylized.clamp(0, 1), photos, strict=True)
    return fmean(float(measure(one[None], photo[None])) for one, photo in pairs)


def fetch_alexnet() -> None:
    """Raises `UserError` where torchvision's AlexNet is neither in torch's cache nor to be fetched."""
    try:
        fetch_from_hub(ALEXNET, ALEXNET_SHA256)
    except DownloadError as error:
        raise UserError(f"LPIPS needs torchvision's AlexNet, which cannot be fetched: {error}") from error
