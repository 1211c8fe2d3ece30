"""Limits of the images that are read and written, and the errors of those that cannot be. Imports nothing large."""

from stylenet.errors import UserError

MINIMUM_SIDE = 16  # pixels, of a photo or painting to learn from and of a result: less shows no style
MAXIMUM_PIXELS = 500_000_000  # Pillow's own limit is 178,956,970


class ImageError(UserError):
    """An image that cannot be read or written. The message is one line: `photo.jpg: is truncated`, `the image is …`."""


class UnknownImageError(ImageError):
    """Not an image in any format that can be read."""


class TooManyPixelsError(ImageError):
    """An image of more pixels than allowed."""
