"""CIE Lab from and to sRGB.

RGB is in [0, 1] with sRGB's transfer function; Lab's white point is D65, L in [0, 100].
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# Linear RGB to XYZ (IEC 61966-2-1), each row divided by its sum, the white point: gray has a and b of exactly 0.
RGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
RGB_TO_XYZ /= RGB_TO_XYZ.sum(1, keepdims=True)
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ)
WHITE, LIGHTEST = 95.0, 0.99  # `raise_lightness`: the lightness that this share of the pixels is to stay below
KNEE = 6 / 29  # of Lab's cube root; linear below


def rgb_to_lab(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """CIE 1976 L*a*b* of sRGB; what lies outside of [0, 1] is clipped."""
    rgb = pictures.clamp(0, 1)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = apply_matrix(RGB_TO_XYZ, linear)
    roots = torch.where(xyz > KNEE**3, xyz.clamp(min=KNEE**3) ** (1 / 3), xyz / (3 * KNEE**2) + 4 / 29)
    x, y, z = roots.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Back to sRGB in [0, 1]; colors that it lacks are clipped."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    roots = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    xyz = torch.where(roots > KNEE, roots**3, 3 * KNEE**2 * (roots - 4 / 29))
    linear = apply_matrix(XYZ_TO_RGB, xyz).clamp(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def with_chroma(images: Float[Tensor, "b 3 h w"], factor: float) -> Float[Tensor, "b 3 h w"]:
    """The images with their chroma multiplied; 1 leaves them as they are."""
    if factor == 1:
        return images
    lightness, a, b = rgb_to_lab(images).unbind(1)
    return lab_to_rgb(torch.stack([lightness, factor * a, factor * b], dim=1))


def raise_lightness(images: Float[Tensor, "b 3 h w"], most: float) -> Float[Tensor, "b 3 h w"]:
    """The images with their lightness multiplied, by at most `most`, until the lightest hundredth of each is white.

    Many photographs of paintings are darker than the paintings.
    """
    if most == 1:
        return images
    lightness, a, b = rgb_to_lab(images).unbind(1)
    pixels = lightness.flatten(1)
    rank = math.ceil(LIGHTEST * pixels.shape[1])  # `quantile` refuses images of more than 16 million pixels
    highlights = pixels.kthvalue(rank, dim=1).values[:, None, None]
    factor = (WHITE / highlights.clamp(min=1)).clamp(1, most)
    return lab_to_rgb(torch.stack([factor * lightness, a, b], dim=1))


def apply_matrix(matrix: np.ndarray, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Each pixel's three values, multiplied by the matrix; as plain numbers, which no GPU has to wait for."""
    x, y, z = pictures.unbind(1)
    return torch.stack([i * x + j * y + k * z for i, j, k in matrix.tolist()], dim=1)
