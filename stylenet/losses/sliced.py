"""Sliced Wasserstein distance to a painting's features (Heitz et al. 2021, "A Sliced Wasserstein Loss for Neural
Texture Synthesis").

Gram matrices hold second moments only: a dull image with a few strong strokes can match them. This distance compares
whole distributions. Along a direction in channel space, the projections of the image's positions and of the painting's
are sorted and compared by rank, which is the Wasserstein distance in one dimension; the mean over random directions is
the sliced distance. It does not depend on where in the image something is.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

DIRECTIONS = 48  # per layer, new ones at each step
POSITIONS = 2048  # of a layer, over all tiles of an image
KEPT = 16384  # positions of the painting; a step samples from them
SMALLEST = 1e-3  # of the painting's mean variance along the directions; smaller variances are clamped


def kept_positions(features: Float[Tensor, "1 c h w"]) -> Float[Tensor, "n c"]:
    """At most `KEPT` random positions of the painting, the same ones each time, in fp32."""
    flat = features[0].flatten(1).T
    return flat[some_of(len(flat), KEPT, torch.Generator().manual_seed(0)).to(flat.device)].float()


def some_of(count: int, wanted: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    """`wanted` different random indices below `count`, or all of them in order if there are no more.

    They are drawn on the generator's device, and stay there.
    """
    if count <= wanted:
        return torch.arange(count, device=generator.device)
    return torch.randperm(count, generator=generator, device=generator.device)[:wanted]


def sliced_distance(
    features: Float[Tensor, "b c h w"], painting: Float[Tensor, "n c"], generator: torch.Generator, tiles: int = 1
) -> Float[Tensor, ""]:
    """Mean squared difference of sorted projections, over the painting's variance along each direction.

    0 is the painting's distribution; 1 is an image whose values are all one standard deviation off. Every `tiles` rows
    of `features` are one image and share its positions. Directions and positions depend on the generator only, which
    must be on the device of the features.
    """
    flat, device = features.permute(0, 2, 3, 1).flatten(1, 2), features.device  # a position's channels side by side
    positions = some_of(flat.shape[1], max(1, POSITIONS // tiles), generator)
    count = len(positions)
    several = max(1, POSITIONS // count)  # positions of the painting per position of the image
    drawn = torch.randint(len(painting), (several * count,), generator=generator, device=device)
    directions = torch.randn(DIRECTIONS, flat.shape[2], generator=generator, device=device)
    directions = directions / directions.norm(dim=1, keepdim=True)
    with torch.autocast(flat.device.type, enabled=False):
        theirs = (directions @ painting[drawn].T).sort(dim=1).values
        mine = (directions @ flat.index_select(1, positions).float().transpose(1, 2)).sort(dim=2).values
        wanted = theirs.unflatten(1, (count, several)).mean(2)
        variance = theirs.var(1, correction=0)
        variance = variance.clamp_min((SMALLEST * variance.mean()).clamp_min(1e-12))
        distance: Tensor = ((mine - wanted).square().mean(2) / variance).mean()
    return distance
