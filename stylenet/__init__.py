"""Fast style transfer (Johnson et al. 2016): `Stylizer.load("starry").stylize(image)`."""

from typing import TYPE_CHECKING, Any

from stylenet.version import __version__

if TYPE_CHECKING:
    from stylenet.stylizer import Stylizer

__all__ = ["Stylizer", "__version__"]


def __getattr__(name: str) -> Any:
    """Imports `Stylizer` when it's asked for, so that training doesn't import how its networks are used."""
    if name == "Stylizer":
        from stylenet.stylizer import Stylizer

        return Stylizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
