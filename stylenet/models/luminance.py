"""The luminance of images, and how their darkest parts become black: results are less dark than the paintings."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylenet.models.limits import MOST_BLACK

LUMINANCE = (0.2126, 0.7152, 0.0722)  # Rec. 709
DARKEST = 0.01  # share of a result's pixels that is to become black


def luminance(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
    """The luminance of RGB. The weights are numbers, as a tensor of them would be copied to a GPU at each step."""
    red, green, blue = images.unbind(1)
    return LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue


def deepen_blacks(images: Float[Tensor, "b 3 h w"], black: int) -> Float[Tensor, "b 3 h w"]:
    """The images, RGB in [0, 1], with the luminance `black`, of 255, moved to 0.

    The lighter a pixel is, the less it changes (by the square), so that pale images stay pale. Its three values change
    by the same amount, so that colors stay as strong as they are.
    """
    if black == 0:
        return images
    most = black * 255 / (255 - black) ** 2
    return (images - most * (1 - luminance(images)[:, None]).square()).clamp(0, 1)


@torch.inference_mode()
def darkest_luminance(network: nn.Module, photos: Float[Tensor, "n 3 h w"]) -> int:
    """The luminance, of 255, below which a hundredth of the pixels of a result is: the mean over photos.

    At most `MOST_BLACK`.
    """
    darkest = []
    for photo in photos:
        pixels = luminance(network(photo[None]).float()).flatten().nan_to_num()
        darkest.append(pixels.kthvalue(max(1, int(DARKEST * len(pixels)))).values)
    return min(MOST_BLACK, round(255 * float(torch.stack(darkest).mean())))
