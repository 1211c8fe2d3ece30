"""Images to the bytes of a file, by Pillow."""

import io
import os
import struct
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from torch import Tensor

from stylenet.disk import atomic_write
from stylenet.media.formats import Format, format_of
from stylenet.media.image import in_srgb, to_image
from stylenet.media.limits import ImageError
from stylenet.media.metadata import rewritable

OPAQUE = 128  # of 255: GIF has no partial transparency
# Optimizing a JPEG takes 6 bytes of memory per pixel and saves 5 % of a file.
COUNTED = 64_000_000  # pixels at most


def write_image(path: str | os.PathLike[str], image: Image.Image | Tensor) -> None:
    """Writes an RGB image (Pillow's, or a tensor as `to_image` takes it) in the format of its suffix.

    Raises `ImageError` when there is no such format or it cannot hold the image, `OSError` when the disk
    won't take it.
    """
    target = Path(path)
    form = format_of(target)
    data = encode_image(image if isinstance(image, Image.Image) else to_image(image), form)
    with atomic_write(target) as temporary:
        temporary.write_bytes(data)


def encode_image(image: Image.Image, form: Format, kept: Mapping[str, bytes] | None = None) -> bytes:
    """An image, RGB or, where the format holds transparency, RGBA, as a whole file's bytes.

    `kept` is what the file tells besides: EXIF, a profile; in a format that holds no profile, colors become sRGB.
    Raises `ImageError` if the format cannot hold the image.
    """
    buffer = io.BytesIO()
    options = {**form.options, **(kept or {})}
    if form.name == "TIFF" and kept and "exif" in kept:
        options["exif"] = rewritable(kept["exif"])
    if image.width * image.height > COUNTED:
        options.pop("optimize", None)
    if kept and "icc_profile" in kept and not form.profile:
        image = image.copy()
        image.info["icc_profile"] = kept["icc_profile"]
        image = in_srgb(image)
    image = _with_palette(image) if form.name == "GIF" else image
    try:
        try:
            image.save(buffer, form.name, **options)
        except OSError:  # with it, Pillow has room for a byte a pixel, which noise at a high quality exceeds
            if not options.pop("optimize", False):
                raise
            buffer = io.BytesIO()
            image.save(buffer, form.name, **options)
    except (OSError, ValueError, OverflowError, struct.error) as error:  # whichever an encoder has for large sides
        raise ImageError(f"{form.name} cannot hold {image.width} x {image.height} pixels") from error
    return buffer.getvalue()


def _with_palette(image: Image.Image) -> Image.Image:
    """GIF's own kind of image: 256 colors, of which the last one is nothing if there is transparency."""
    if image.mode == "RGB":
        return image.quantize(256)
    indices = image.convert("RGB").quantize(255)
    indices.putpalette(bytes(indices.getpalette() or []).ljust(768, b"\0"))
    indices.paste(255, mask=image.getchannel("A").point([255 * (alpha < OPAQUE) for alpha in range(256)]))
    indices.info["transparency"] = 255
    return indices
