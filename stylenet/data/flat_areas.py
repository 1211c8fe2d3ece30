"""Photos of which a part is made flat, like an even sky or wall: few photos are, and networks left such areas empty."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SQUARES = (32, 48, 96)  # pixels: the flat part is blurred by one of these
EDGE = 20.0  # sharpness of the line between both parts, over half the side


def with_flat_areas(
    photos: Float[Tensor, "b 3 h w"], share: float, number: int, first: int = 0
) -> Float[Tensor, "b 3 h w"]:
    """Blurs one side of a line through some photos, and takes up to all of its contrast.

    `share` is how many of the photos, 0 to 1. Which ones and where depends on `number`, the batch's, and on a photo's
    place in it alone; `first` is the place of the first, where several processes share a batch.
    """
    generators = [np.random.default_rng([number, first + index]) for index in range(len(photos))]
    chosen = [generator.random() < share for generator in generators]
    if not any(chosen):
        return photos
    each = [photos[index : index + 1] for index in range(len(photos))]
    parts = [
        flatten_part(photo, generator) if flat else photo
        for photo, generator, flat in zip(each, generators, chosen, strict=True)
    ]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def flatten_part(photo: Float[Tensor, "1 3 h w"], generator: np.random.Generator) -> Float[Tensor, "1 3 h w"]:
    """The photo, on one side of a random line its own blurred colors with 0 to 0.6 of their contrast."""
    which, contrast, angle, offset = (generator.random() for _ in range(4))
    height, width = photo.shape[2:]
    square = min(SQUARES[int(which * len(SQUARES))], height, width)
    blurred = F.interpolate(F.avg_pool2d(photo, square), (height, width), mode="bilinear")
    mean = blurred.mean((2, 3), keepdim=True)
    side = line(height, width, 2 * math.pi * angle, 0.6 * offset - 0.3, photo.device)
    return side * (mean + 0.6 * contrast * (blurred - mean)) + (1 - side) * photo


def line(height: int, width: int, angle: float, offset: float, device: torch.device) -> Float[Tensor, "h w"]:
    """1 on one side of a line at this angle, 0 on the other; `offset` is its distance from the center, over half."""
    rows = torch.linspace(-1, 1, height, device=device)[:, None]
    columns = torch.linspace(-1, 1, width, device=device)
    return torch.sigmoid(EDGE * (rows * math.sin(angle) + columns * math.cos(angle) - offset))
