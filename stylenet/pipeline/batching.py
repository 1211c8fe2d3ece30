"""Images of one size through a network together: on a GPU, several cost hardly more than one."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
from PIL import Image
from torch import nn

from stylenet.inference.styler import Styler, separate

LIMIT = 8  # images in a batch


class Batching:
    """Stylizes images that come from several threads; those of one size that wait meanwhile go together.

    Nothing waits for a batch to fill: while the network is busy with one batch, the next one gathers.
    """

    def __init__(self, styler: Styler, limit: int = LIMIT) -> None:
        self.styler, self.limit = styler, limit
        self.network, self.guard = threading.Lock(), threading.Lock()
        self.waiting: list[tuple[Image.Image, Future[Image.Image]]] = []

    @property
    def networks(self) -> Sequence[nn.Module]:
        return self.styler.networks

    def separate(self) -> "Batching":
        """The same with networks of its own."""
        return Batching(separate(self.styler), self.limit)

    def stylize(self, image: Image.Image, /) -> Image.Image:
        """An RGB image in the style; blocks until its batch is done."""
        result: Future[Image.Image] = Future()
        with self.guard:
            self.waiting.append((image, result))
        with self.network:
            if not result.done():
                self._run(self._batch(image.size, result))
        return result.result()

    def _batch(self, size: tuple[int, int], own: Future[Image.Image]) -> list[tuple[Image.Image, Future[Image.Image]]]:
        """The image itself and others of its size, in the order in which they came."""
        with self.guard:
            others = [entry for entry in self.waiting if entry[0].size == size and entry[1] is not own]
            mine = [entry for entry in self.waiting if entry[1] is own]
            batch = mine + others[: self.limit - 1]
            taken = {id(result) for _, result in batch}  # equal images are not the same image
            self.waiting = [entry for entry in self.waiting if id(entry[1]) not in taken]
        return batch

    def _run(self, batch: list[tuple[Image.Image, Future[Image.Image]]]) -> None:
        try:
            stylized = self.styler.stylize(np.stack([np.asarray(image) for image, _ in batch]))
        except BaseException as error:
            for _, result in batch:
                result.set_exception(error)
            return
        for pixels, (_, result) in zip(stylized, batch, strict=True):
            result.set_result(Image.fromarray(pixels))
