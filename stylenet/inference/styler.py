"""The interface between pipelines and styles: maps an image to a stylized image of the same kind and size."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Styler(Protocol):
    """Anything that stylizes RGB images: a `Stylizer`, a `Blend`, or a `BoundStyler`, which adds brush and mask."""

    @property
    def networks(self) -> Sequence[nn.Module]:
        """All networks at work, for callers that keep statistics in them."""
        ...

    def stylize(self, image: Any, /) -> Any:
        """Returns a stylized image of the same kind (PIL image, array, tensor) and size."""
        ...


def separate(styler: Styler) -> Styler:
    """The same with networks of its own, for statistics that nobody else's images may change or be changed by.

    A styler without a method of this name is used as it is.
    """
    own = getattr(styler, "separate", None)
    separated: Styler = own() if own else styler
    return separated
