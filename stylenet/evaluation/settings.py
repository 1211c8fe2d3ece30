"""Settings of an evaluation, as plain values; importing them needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

OPTIMIZERS, STARTS = ("lbfgs", "adam"), ("photo", "noise")  # of an image optimized as in Gatys et al. 2016
LARGEST_SIDE = 4096  # pixels: the features of more take too much memory
SMALLEST_SIDE = 64  # pixels: the artifact measures need a tile, the loss network a few pixels at its deepest layer


@dataclass(frozen=True)
class EvaluationSettings:
    """The figures besides the losses, and the weights to measure them with. The defaults need no further download.

    `weights` of the loss network, and `judge`, weights of a VGG16 that no training optimized, are `auto`, `torchvision`
    or a file. `painting` is its file where it is not one of the shipped ones. With `gatys_steps`, each of the first
    `gatys_photos` photos (None: all) is optimized for so many steps with each of the optimizers.
    """

    weights: str = "auto"
    judge: str | None = None
    lpips: bool = False
    painting: str | None = None
    gatys_steps: int = 0
    gatys_photos: int | None = None
    gatys_optimizers: Sequence[str] = OPTIMIZERS
