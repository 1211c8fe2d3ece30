"""Paintings: images whose colors and strokes are learned."""

from PIL import Image

from stylenet.media.decoders import Source, opened_image
from stylenet.media.image import in_srgb, to_rgb, upright
from stylenet.media.limits import MINIMUM_SIDE, ImageError

LONGEST = 4  # times the short side: more of a scroll would take more memory than the rest of a training


def decode_painting(source: Source) -> Image.Image:
    """A painting's file, or its bytes, as an upright sRGB image; of a scroll, its middle.

    Raises `ImageError` for what is no image, and for sides below `MINIMUM_SIDE`.
    """
    with opened_image(source) as image:
        if min(image.size) < MINIMUM_SIDE:
            sides = f"{image.width} x {image.height} pixels"
            raise ImageError(f"has {sides}, and a painting needs at least {MINIMUM_SIDE} on each side")
        return middle(to_rgb(in_srgb(upright(image))))


def middle(image: Image.Image) -> Image.Image:
    """The image, cut to at most `LONGEST` times its short side."""
    width, height = (min(side, LONGEST * min(image.size)) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
