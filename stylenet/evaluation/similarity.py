"""Similarity of a stylized image to its photo: SSIM of the luminance, and LPIPS where its weights are."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from stylenet.errors import UserError
from stylenet.losses.measures import luminance
from stylenet.losses.vgg.download import DownloadError, fetch_from_hub

# Torchvision's AlexNet (IMAGENET1K_V1), which LPIPS takes from torch.hub's cache.
ALEXNET = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
ALEXNET_SHA256 = "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"


@torch.inference_mode()
def ssim(photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]) -> float:
    """Mean structural similarity (Wang et al. 2004): luminance, Gaussian window of 11 px; 1 for the photo itself."""
    result = structural_similarity_index_measure(
        luminance(stylized)[:, None], luminance(photos)[:, None], data_range=1.0
    )
    assert isinstance(result, Tensor)
    return float(result)


@torch.inference_mode()
def lpips(photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]) -> float:
    """Mean LPIPS with AlexNet (Zhang et al. 2018); 0 for the photo itself. Raises `UserError` as `fetch_alexnet`."""
    fetch_alexnet()
    measure = LearnedPerceptualImagePatchSimilarity("alex", normalize=True).to(photos.device)
    return float(measure(stylized.clamp(0, 1), photos))


def fetch_alexnet() -> None:
    """Raises `UserError` where torchvision's AlexNet is neither in torch's cache nor to be fetched."""
    try:
        fetch_from_hub(ALEXNET, ALEXNET_SHA256)
    except DownloadError as error:
        raise UserError(f"LPIPS needs torchvision's AlexNet, which cannot be fetched: {error}") from error
