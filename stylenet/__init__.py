"""Fast style transfer (Johnson et al. 2016): `Stylizer.load("starry").stylize(image)`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stylenet.version import __version__

if TYPE_CHECKING:
    from stylenet.inference.blend import Blend
    from stylenet.inference.brush import Brush
    from stylenet.inference.stylizer import Stylizer
    from stylenet.models.catalog import load_style

__all__ = ["Blend", "Brush", "Stylizer", "__version__", "load_style"]


def __getattr__(name: str) -> Any:
    """Imports `Stylizer` and its like when asked for, so that training doesn't import how its networks are used."""
    if name in ("Blend", "Brush", "Stylizer"):
        return getattr(import_module(f"stylenet.inference.{name.lower()}"), name)
    if name == "load_style":
        return import_module("stylenet.models.catalog").load_style
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
