"""The formats that pictures are written in, and what each of them can hold."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from stylenet.disk import shown, written_aside
from stylenet.errors import UserError
from stylenet.media.decoders import ImageError
from stylenet.media.image import to_image

OPAQUE = 128  # of 255; GIF knows no half transparent pixels


@dataclass(frozen=True)
class Format:
    """A format by Pillow's name for it, its options, and whether it holds transparency and animations."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    alpha: bool = False
    frames: bool = False

    def at_quality(self, quality: int | None) -> "Format":
        """The same with another quality, 1 to 100, if the format is lossy. Raises `UserError` for another number."""
        if quality is None:
            return self
        if not 1 <= quality <= 100:
            raise UserError(f"quality must be 1 to 100, got {quality}")
        if "quality" not in self.options:
            return self
        return replace(self, options={**self.options, "quality": quality})


# The encoder counts a whole picture before it writes, at 6 bytes a pixel, to save some 5 % of a file.
COUNTED = 64_000_000  # pixels at most
# 4:4:4, as a stylized picture is made of colored edges.
JPEG = Format("JPEG", {"quality": 92, "subsampling": 0, "optimize": True})
PNG = Format("PNG", alpha=True, frames=True)
# Uncompressed: LZW makes stylized photos a tenth larger, and libtiff, which compresses, can't write EXIF.
TIFF = Format("TIFF", alpha=True)
WRITABLE = {
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".png": PNG,
    ".webp": Format("WEBP", {"quality": 92}, alpha=True, frames=True),
    ".tif": TIFF,
    ".tiff": TIFF,
    ".bmp": Format("BMP"),
    ".gif": Format("GIF", alpha=True, frames=True),
}


def format_of(path: Path) -> Format:
    """The format that a file's suffix means. Raises `ImageError`."""
    found = WRITABLE.get(path.suffix.lower())
    if found is None:
        raise ImageError(f"{shown(path)}: can't write this kind of file; there are {', '.join(WRITABLE)}")
    return found


def own_format(name: str) -> Format:
    """The format for a result that goes where its photo came from, by Pillow's name; PNG if it can't be written."""
    named = {form.name: form for form in WRITABLE.values()} | {"MPO": JPEG}
    return named.get(name, PNG)


def write_image(path: str | os.PathLike[str], image: Image.Image | Tensor) -> None:
    """Writes an RGB picture (Pillow's, or a tensor as `to_image` takes it) in the format of its suffix.

    Raises `ImageError` when there is no such format or it can't hold the picture, `OSError` when the disk
    won't take it.
    """
    target = Path(path)
    form = format_of(target)
    data = encoded(image if isinstance(image, Image.Image) else to_image(image), form)
    with written_aside(target) as aside:
        aside.write_bytes(data)


def encoded(image: Image.Image, form: Format, kept: Mapping[str, bytes] | None = None) -> bytes:
    """A picture, RGB or, where the format holds transparency, RGBA, as a whole file's bytes.

    `kept` is what the file tells besides: EXIF, a profile. Raises `ImageError` if the format can't hold it.
    """
    buffer = io.BytesIO()
    options = dict(form.options)
    if image.width * image.height > COUNTED:
        options.pop("optimize", None)
    image = _with_palette(image) if form.name == "GIF" else image
    try:
        image.save(buffer, form.name, **options, **(kept or {}))
    except (OSError, ValueError) as error:  # 16,383 px are WebP's limit, 65,535 are JPEG's
        raise ImageError(f"{form.name} can't hold {image.width} x {image.height} pixels") from error
    return buffer.getvalue()


def _with_palette(image: Image.Image) -> Image.Image:
    """GIF's own kind of picture: 256 colors, of which the last one is nothing if there is transparency."""
    if image.mode == "RGB":
        return image.quantize(256)
    indices = image.convert("RGB").quantize(255)
    indices.putpalette(bytes(indices.getpalette() or []).ljust(768, b"\0"))
    indices.paste(255, mask=image.getchannel("A").point([255 * (alpha < OPAQUE) for alpha in range(256)]))
    indices.info["transparency"] = 255
    return indices
