"""Known artifacts of such networks, each as a number: a grid, a dead output, blobs, a frame at the border, NaN.

All images are RGB in [0, 1]; a measure is taken over the whole batch. What it reads on healthy networks and on
broken images stands in tests/evaluation/test_artifacts.py.
"""

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

PERIOD, OTHER_PERIOD = 4, 5  # pixels: the network's stride, and one that it has no reason to prefer
TILE = 60  # pixels, a multiple of both periods: a grid may differ in color and sign from place to place
BLOB = 16  # pixels
FLAT, LIVELY = 1.5 / 255, 6 / 255  # standard deviations within a blob
RING, WITHIN = 4, 12  # pixels: the outermost ring and the next one that it is held against


@dataclass(frozen=True)
class Artifacts:
    """0 is none, but for `contrast`.

    `grid`: RMS, of 255, of the pattern that repeats every 4 px, above what repeats every 5 px.
    `contrast`: RMS, of 255, of the output about its mean color; a dead network has none.
    `blobs`: the share of 16 px squares that are flat though the photo is lively there.
    `frame`: mean difference, of 255, between border and interior that the photo does not have.
    `not_finite`: the share of values that are no numbers.
    """

    grid: float
    contrast: float
    blobs: float
    frame: float
    not_finite: float


# Beyond these a person sees it. Contrast is the least, the others are the most.
LIMITS = Artifacts(grid=2.5, contrast=12.0, blobs=0.1, frame=12.0, not_finite=0.0)


@torch.inference_mode()
def artifacts(photos: Float[Tensor, "n 3 h w"], stylized: Float[Tensor, "n 3 h w"]) -> Artifacts:
    """The measures of some stylized images. Sides must be at least 64 px."""
    photos, pictures = photos.float(), stylized.float().nan_to_num(0.5, 0.5, 0.5)
    return Artifacts(
        grid=255 * grid(pictures),
        contrast=255 * float((pictures - pictures.mean((2, 3), keepdim=True)).square().mean().sqrt()),
        blobs=blobs(photos, pictures),
        frame=255 * float((frame_step(pictures) - frame_step(photos)).abs().mean()),
        not_finite=1 - float(stylized.isfinite().float().mean()),
    )


def complaints(measured: Artifacts) -> dict[str, str]:
    """A text for each measure beyond its limit, by its name."""
    found = {}
    for name, value in asdict(measured).items():
        limit = getattr(LIMITS, name)
        if value < limit if name == "contrast" else value > limit:
            found[name] = f"{name} {value:.2f} (limit {limit:g})"
    return found


def grid(pictures: Float[Tensor, "n 3 h w"]) -> float:
    """RMS of what repeats every 4 px within a tile, less what repeats every 5 px: strokes have no such preference.

    The repeating part is the mean over the tile's cells; noise leaves in it its own variance over their number.
    """
    tiles = F.unfold(detail(pictures).flatten(0, 1)[:, None], TILE, stride=TILE)  # (n·3, TILE², tiles)
    tiles = tiles.transpose(1, 2).reshape(-1, TILE, TILE)
    excess = pattern_variance(tiles, PERIOD) - pattern_variance(tiles, OTHER_PERIOD) * (PERIOD / OTHER_PERIOD) ** 2
    return math.sqrt(max(0.0, float(excess.mean())))


def detail(pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Without slow changes of color, which neither period should count."""
    # The mean over two whole periods has nothing of a grid, so all of it stays.
    return pictures - F.avg_pool2d(F.pad(pictures, (3, 4, 3, 4), mode="reflect"), 8, stride=1)


def pattern_variance(tiles: Float[Tensor, "n s s"], period: int) -> Float[Tensor, " n"]:
    """Variance of the pattern that repeats every `period` pixels down and across."""
    side = tiles.shape[-1] // period
    cells = tiles.view(-1, side, period, side, period)
    return cells.mean((1, 3)).flatten(1).var(1, correction=0)


def blobs(photos: Float[Tensor, "n 3 h w"], pictures: Float[Tensor, "n 3 h w"]) -> float:
    """The share of lively squares of the photo that became flat."""
    lively = spread(photos) > LIVELY
    return float((lively & (spread(pictures) < FLAT)).sum() / lively.sum().clamp_min(1))


def spread(pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 p q"]:
    """Standard deviation within each square, channel by channel."""
    mean, square = F.avg_pool2d(pictures, BLOB), F.avg_pool2d(pictures.square(), BLOB)
    return (square - mean.square()).clamp_min(0).sqrt()


def frame_step(pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3"]:
    """Mean color of the outermost ring, less that of the ring within."""
    outer, middle = pictures[..., RING:-RING, RING:-RING], pictures[..., WITHIN:-WITHIN, WITHIN:-WITHIN]
    return ring_mean(pictures, outer) - ring_mean(outer, middle)


def ring_mean(whole: Float[Tensor, "n 3 h w"], inside: Float[Tensor, "n 3 p q"]) -> Float[Tensor, "n 3"]:
    pixels = whole[0, 0].numel() - inside[0, 0].numel()
    return (whole.sum((2, 3)) - inside.sum((2, 3))) / pixels
