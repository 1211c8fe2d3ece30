"""Compiled networks: faster for each picture, after a wait for the compiler."""

import logging
from collections import Counter

import torch
from jaxtyping import Float
from torch import Tensor, nn

log = logging.getLogger(__name__)

# Pictures of one size after which `auto` compiles, so that a folder or a video never takes twice what it needs. Two CPU
# cores with bf16 units, 512 px: 29 s of compiling, then 271 ms a picture instead of 323.
PAYS_AFTER = 600


class Compiled(nn.Module):
    """A network that is compiled for a size once `after` pictures of that size have come.

    Where there is no compiler for it, or it fails, the network goes on as it is and says so once.
    """

    def __init__(self, network: nn.Module, after: int = 0) -> None:
        super().__init__()
        self.network, self.after = network, after
        # For each size anew: with sizes left open, torch 2.15 makes code that is no faster than the network is.
        self.fast: nn.Module | None = torch.compile(network, dynamic=False)  # type: ignore[assignment]
        self.seen: Counter[tuple[int, ...]] = Counter()

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        size = tuple(photos.shape)
        self.seen[size] += 1
        stylized: Tensor
        if self.fast is not None and self.seen[size] > self.after:
            try:
                stylized = self.fast(photos)
                return stylized
            except RuntimeError as error:  # all that dynamo and inductor raise
                reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
                log.warning("not compiled, which is slower and no worse: %s", reason)
                self.fast = None
        stylized = self.network(photos)
        return stylized
