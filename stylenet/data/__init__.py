"""Photos to train on: from the built-in sample, a folder, the hub or memory, decoded by one decoder, cut into crops."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylenet.data.crops import RandomCrops
    from stylenet.data.opening import folder_squares, held_out_photos, open_photos, unit_photos
    from stylenet.data.sets import ArrayPhotos, Photos
    from stylenet.data.settings import PhotoSettings
    from stylenet.data.sources import PhotosError

MODULES = {
    "ArrayPhotos": "sets",
    "PhotoSettings": "settings",
    "Photos": "sets",
    "PhotosError": "sources",
    "RandomCrops": "crops",
    "folder_squares": "opening",
    "held_out_photos": "opening",
    "open_photos": "opening",
    "unit_photos": "opening",
}
__all__ = [
    "ArrayPhotos",
    "PhotoSettings",
    "Photos",
    "PhotosError",
    "RandomCrops",
    "folder_squares",
    "held_out_photos",
    "open_photos",
    "unit_photos",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for, so that the settings are to be had without torch."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stylenet.data.{MODULES[name]}"), name)
