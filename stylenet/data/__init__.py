"""Photos to train on: from the built-in sample, a folder or the hub, decoded by one decoder, cut into crops."""

from stylenet.data.crops import RandomCrops
from stylenet.data.opening import Photos, PhotosError, folder_squares, held_out_photos, open_photos, unit_photos

__all__ = ["Photos", "PhotosError", "RandomCrops", "folder_squares", "held_out_photos", "open_photos", "unit_photos"]
