"""Compiled networks: faster for each image, after a wait for the compiler."""

import logging
from collections import Counter
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

log = logging.getLogger(__name__)

# Images of one size after which `auto` compiles, so that a folder or a video never takes twice what it needs. Two CPU
# cores with bf16 units, 512 px: 29 s of compiling, then 271 ms an image instead of 323.
PAYS_AFTER = 600
# Sizes and networks of a process that torch.compile serves, instead of 8: the next ones ran eagerly without a word.
MOST = 1 << 16


class Compiled(nn.Module):
    """A network that is compiled for a size after `after` images of that size.

    Where compiling fails, the network runs eagerly and a warning says so once. `torch.compile` is called when it is
    first needed, as it alone imports for seconds.
    """

    def __init__(self, network: nn.Module, after: int = 0) -> None:
        super().__init__()
        self.network, self.after = network, after
        self.fast: Callable[[Tensor], Tensor] | None = None
        self.failed = False
        self.seen: Counter[tuple[int, ...]] = Counter()

    def forward(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        size = tuple(photos.shape)
        self.seen[size] += 1
        if not self.failed and self.seen[size] > self.after:
            try:
                return self._compiled(photos)
            except torch.OutOfMemoryError:  # says nothing about the compiler
                raise
            except RuntimeError as error:  # all that dynamo and inductor raise
                reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
                log.warning("torch.compile failed, running eagerly: %s", reason)
                self.failed = True
        stylized: Tensor = self.network(photos)
        return stylized

    def _compiled(self, photos: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        import torch._dynamo.config as dynamo  # with the compiler's imports, when it is first needed

        with dynamo.patch(recompile_limit=MOST, accumulated_recompile_limit=MOST):
            return self.compiled()(photos)

    def compiled(self) -> Callable[[Tensor], Tensor]:
        """The network by `torch.compile`."""
        if self.fast is None:
            # For each size again: with sizes left open, torch 2.15 makes code that is no faster than the network is.
            self.fast = torch.compile(self.network, dynamic=False)
        return self.fast
