"""The formats that images are written in, and what each of them can hold. Imports nothing large."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.media.limits import ImageError


@dataclass(frozen=True)
class Format:
    """A format by Pillow's name for it, its options, and whether it holds transparency, animations and a profile.

    `longest`: pixels of a side, at most; 0 where a file may be larger than any image here.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    alpha: bool = False
    frames: bool = False
    profile: bool = True
    longest: int = 0

    def check_side(self, pixels: int) -> None:
        """Raises `ImageError` for a long side that the format cannot hold."""
        if self.longest and pixels > self.longest:
            raise ImageError(f"{self.name} cannot hold a side of {pixels:,} pixels, its limit is {self.longest:,}")

    @property
    def has_quality(self) -> bool:
        """Whether it is a format with a quality: JPEG or WebP."""
        return "quality" in self.options

    def at_quality(self, quality: int | None) -> "Format":
        """The format with another quality, 1 to 100, if the format is lossy. Raises `UserError` for another number."""
        if quality is None:
            return self
        if not 1 <= quality <= 100:
            raise UserError(f"quality must be 1 to 100, got {quality}")
        if not self.has_quality:
            return self
        return replace(self, options={**self.options, "quality": quality})


# 4:4:4, as a stylized image is made of colored edges.
JPEG = Format("JPEG", {"quality": 92, "subsampling": 0, "optimize": True}, longest=65_500)
PNG = Format("PNG", alpha=True, frames=True)
# Uncompressed: LZW makes stylized photos a tenth larger, and libtiff, which compresses, cannot write EXIF.
TIFF = Format("TIFF", alpha=True)
WRITABLE = {
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".png": PNG,
    ".webp": Format("WEBP", {"quality": 92}, alpha=True, frames=True, longest=16_383),
    ".tif": TIFF,
    ".tiff": TIFF,
    ".bmp": Format("BMP", profile=False),
    ".gif": Format("GIF", alpha=True, frames=True, profile=False, longest=65_535),
}


def format_of(path: Path) -> Format:
    """The format that a file's suffix means. Raises `ImageError`."""
    found = WRITABLE.get(path.suffix.lower())
    if found is None:
        raise ImageError(f"{printable(path)}: cannot write this kind of file; supported: {', '.join(WRITABLE)}")
    return found


def own_format(name: str) -> Format:
    """The format for a result that goes where its photo came from, by Pillow's name; PNG if it cannot be written."""
    named = {form.name: form for form in WRITABLE.values()} | {"MPO": JPEG}
    return named.get(name, PNG)
