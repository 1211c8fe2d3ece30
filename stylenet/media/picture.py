"""An image file as a whole: its frames one by one, and what the result takes over from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile

from stylenet.media.decoders import Source, check_size, opened_image
from stylenet.media.image import conversions, fitted_size, to_rgb_or_rgba, upright
from stylenet.media.limits import MAXIMUM_PIXELS, ImageError
from stylenet.media.metadata import kept_metadata

INVISIBLE = np.array([255, 255, 255, 0], np.uint8)  # any color may be stored where nothing is seen
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")  # in other formats several images are pages, or a camera's previews


@dataclass(frozen=True)
class Size:
    """The size at which images are processed: `short` and `long` are pixels of their sides, None as they are.

    The short side is brought to `short`, the long one to `long` at most. No image may have more than
    `max_pixels`, before and after.
    """

    short: int | None = None
    long: int | None = None
    max_pixels: int = MAXIMUM_PIXELS

    def of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height to work at. Raises `ImageError` when that's too many pixels."""
        size = fitted_size((width, height), self.short, self.long)
        check_size(*size, self.max_pixels)
        return size


OWN_SIZE = Size()


@dataclass(frozen=True)
class Frame:
    """One image: its colors (RGB), its opacity (`L`; None: opaque) and how long an animation shows it.

    `kept` is what its file tells besides, as options of Pillow's `save`.
    """

    colors: Image.Image
    alpha: Image.Image | None = None
    milliseconds: float = 0
    kept: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Their number."""
        return self.colors.width * self.colors.height

    def on_white(self) -> "Frame":
        """The frame without transparency, on white."""
        if self.alpha is None:
            return self
        white = Image.new("RGB", self.colors.size, "white")
        return replace(self, colors=Image.composite(self.colors, white, self.alpha), alpha=None)

    def with_alpha(self) -> Image.Image:
        """RGB, or RGBA where something is transparent."""
        if self.alpha is None:
            return self.colors
        image = self.colors.copy()
        image.putalpha(self.alpha)
        return image


@dataclass(frozen=True)
class Picture:
    """An image file whose header was read; `frames` decodes the rest.

    `format` is Pillow's name for it, `pixels` those of one frame at their most, `size_at_work` its width and height at
    the size to work at, `converted` what has to be changed to make RGB of 8 bits of it. Of `count` images in the file,
    from the `first` on, all belong to the result if it's `animated`, `plays` times (0: for ever); else they are pages,
    of which the first counts.
    """

    source: Source
    size: Size
    format: str
    pixels: int
    size_at_work: tuple[int, int]
    converted: tuple[str, ...] = ()
    first: int = 0
    count: int = 1
    animated: bool = False
    plays: int = 1

    @classmethod
    def open(cls, source: Source, size: Size = OWN_SIZE) -> "Picture":
        """Reads the header of a file, or of its bytes. Raises `ImageError`."""
        with opened_image(source, size.max_pixels) as image:
            width, height = size.of(*image.size)
            first = int(getattr(image, "default_image", False))  # PNG's image for those who cannot show animations
            count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1) - first
            return cls(
                source,
                size,
                str(image.format),
                max(width * height, image.width * image.height),
                (width, height),
                conversions(image),
                first,
                count,
                image.format in ANIMATED and count > 1,
                _plays(image),
            )

    def frames(self) -> Iterator[Frame]:
        """The frames, decoded one by one as they are asked for. Raises `ImageError`."""
        with opened_image(self.source, self.size.max_pixels) as image:
            if not self.animated:
                yield _frame(upright(image), image, self.size)
                return
            sides = image.size
            for index in range(self.first, self.first + self.count):
                image.seek(index)
                if image.size != sides:  # a GIF's later frames can stretch it beyond every limit
                    raise ImageError(f"has a frame of {image.width} x {image.height} pixels, unlike its first")
                yield _frame(upright(image).copy(), image, self.size)  # as the next one is laid over it


def resized_pixels(pixels: UInt8[np.ndarray, "h w c"], size: Size) -> UInt8[np.ndarray, "p q c"]:
    """RGB or RGBA pixels at the size to work at; pixels that are invisible become white. Raises `ImageError`."""
    height, width, channels = pixels.shape
    wanted = size.of(width, height)
    if wanted != (width, height):
        image = Image.fromarray(np.ascontiguousarray(pixels)).resize(wanted, Image.Resampling.LANCZOS)
        pixels = np.array(image)
    if channels == 4:
        pixels = np.where(pixels[..., 3:] == 0, INVISIBLE, pixels)
    return pixels


def _plays(image: ImageFile.ImageFile) -> int:
    """Number of times that an animation plays; GIF counts repetitions, and has no entry for none."""
    loop = image.info.get("loop")
    if image.format != "GIF" or loop == 0:
        return int(loop or 0)
    return 1 if loop is None else int(loop) + 1


def _frame(whole: Image.Image, file: ImageFile.ImageFile, size: Size) -> Frame:
    """A decoded image at its size, its colors apart from its opacity."""
    image = to_rgb_or_rgba(whole)
    wanted = size.of(*image.size)
    image = image if wanted == image.size else image.resize(wanted, Image.Resampling.LANCZOS)
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colors = image.convert("RGB") if alpha is not None else image
    if alpha is not None:  # what cannot be seen may be any color, and shall not disturb what can
        colors.paste("white", mask=alpha.point([255, *[0] * 255]))
        alpha = None if alpha.getextrema() == (255, 255) else alpha
    return Frame(colors, alpha, float(file.info.get("duration", 0)), kept_metadata(file, wanted))
