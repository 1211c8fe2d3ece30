"""Fast style transfer (Johnson et al. 2016): `Stylizer.load("starry").stylize(image)`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stylenet.version import __version__

if TYPE_CHECKING:
    from stylenet.data.datamodule import PhotoCrops
    from stylenet.errors import UserError
    from stylenet.inference.blend import Blend
    from stylenet.inference.settings import Brush
    from stylenet.inference.stylizer import Stylizer
    from stylenet.losses.perceptual import PerceptualLoss
    from stylenet.models.loading import load_style
    from stylenet.models.transformer_net import TransformerNet
    from stylenet.training.module import StyleTransferModule
    from stylenet.training.run import train

MODULES = {
    "Blend": "inference.blend",
    "Brush": "inference.settings",
    "PerceptualLoss": "losses.perceptual",
    "PhotoCrops": "data.datamodule",
    "StyleTransferModule": "training.module",
    "Stylizer": "inference.stylizer",
    "TransformerNet": "models.transformer_net",
    "UserError": "errors",
    "load_style": "models.loading",
    "train": "training.run",
}
__all__ = [
    "Blend",
    "Brush",
    "PerceptualLoss",
    "PhotoCrops",
    "StyleTransferModule",
    "Stylizer",
    "TransformerNet",
    "UserError",
    "__version__",
    "load_style",
    "train",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Imports a public name when it is asked for: inference then imports nothing of training, and the reverse."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stylenet.{MODULES[name]}"), name)
