"""Turns an encoded image into an encoded, stylized one: used by files, requests and rows of a table alike.

`restyle` does it at once, from bytes to bytes. `Restyling` has the same steps one by one, for a batch that decodes and
encodes in threads while the network runs.
"""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from io import BufferedIOBase, BytesIO
from itertools import chain

from PIL import Image

from stylenet.inference.styler import Styler
from stylenet.media.animation import AnimationInfo, join
from stylenet.media.decoders import Source
from stylenet.media.encoders import encode_image
from stylenet.media.formats import Format, own_format
from stylenet.media.picture import OWN_SIZE, Frame, Picture, Size
from stylenet.prefetch import ahead, in_order

Stylize = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Restyled:
    """A stylized image as a file's bytes, and how it was made.

    `format` is Pillow's name (`JPEG`, `PNG`, …); `notes` says in words what was converted or left out;
    `network_seconds` is the network's part of `seconds`.
    """

    data: bytes
    format: str
    width: int
    height: int
    notes: tuple[str, ...]
    network_seconds: float
    seconds: float


def restyle(
    data: bytes, styler: Styler, size: Size = OWN_SIZE, format: Format | None = None, quality: int | None = None
) -> Restyled:
    """Stylizes an image file, animations included, given and returned as bytes.

    `data` is any image that can be read (JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, AVIF; HEIC with its extra). `size`
    limits and changes the size. `format`, one of `media.formats.WRITABLE`, defaults to the image's own, or PNG where
    that cannot be written; `quality`, 1 to 100, applies to JPEG and WebP. The image comes back upright, with its
    profile, its EXIF data and, where the format can hold it, its transparency. Several threads may call this at once.
    Raises `UserError` for data that is no such image, too large, or too small for the network.
    """
    start = time.perf_counter()
    buffer = BytesIO()
    work = Restyling(data, size, format, quality)
    work.decode()
    if work.animated:
        work.animate(styler.stylize, buffer)
    else:
        work.stylize(styler.stylize)
        buffer.write(work.encode())
    seconds = time.perf_counter() - start
    name, notes = work.format.name, tuple(work.notes)
    return Restyled(buffer.getvalue(), name, work.width, work.height, notes, work.network_seconds, seconds)


class Restyling:
    """One image on its way through the steps: the header is read, then `decode`, `stylize` and `encode`, or `animate`.

    `stylize` functions map an RGB image to an RGB image of the same size. `width`, `height` are the result's, known
    once it is stylized; `pixels` is the size of one frame, as a measure of memory. Raises `UserError` in each step.
    """

    def __init__(
        self, source: Source, size: Size = OWN_SIZE, format: Format | None = None, quality: int | None = None
    ) -> None:
        self.picture = Picture.open(source, size)
        self.format = (format or own_format(self.picture.format)).at_quality(quality)
        self.format.check_side(max(self.picture.size_at_work))
        self.animated = self.picture.animated and self.format.frames
        self.notes: list[str] = []
        if self.picture.count > 1 and not self.animated:
            self.notes.append(f"first of {self.picture.count} {'frames' if self.picture.animated else 'pages'}")
            self.picture = replace(self.picture, animated=False)
        self.notes += [f"was {conversion}" for conversion in self.picture.converted]
        self.pixels = self.picture.pixels
        self.width, self.height, self.network_seconds = 0, 0, 0.0
        self.frame: Frame | None = None

    def decode(self) -> None:
        """Decodes the image; an animation's frames wait until `animate`."""
        if not self.animated:
            self.frame = next(self.picture.frames())

    def stylize(self, stylize: Stylize) -> None:
        """Stylizes the decoded image."""
        self.frame = self._stylized(stylize, self._decoded())

    def encode(self) -> bytes:
        """Returns the stylized image as a file's bytes."""
        frame = self._decoded()
        self.frame = None
        return encode_image(frame.with_alpha(), self.format, frame.kept)

    def animate(self, stylize: Stylize, file: BufferedIOBase, pool: Executor | None = None) -> None:
        """Decodes, stylizes and encodes an animation into `file`, frame by frame, the next one decoded in a thread.

        With a pool, frames are also encoded while the network runs.
        """
        with ahead(self.picture.frames(), depth=1) as decoded:
            frames = map(partial(self._stylized, stylize), decoded)
            first = next(frames)  # which determines the size
            still = partial(_still, self.format)
            stills = in_order(pool or Inline(), still, chain([first], frames), cost=lambda frame: frame.pixels)
            join(file, stills, AnimationInfo(self.width, self.height, self.picture.plays), self.format.name)
        self.notes.append(f"{self.picture.count} frames")

    def _decoded(self) -> Frame:
        if self.frame is None:
            raise RuntimeError("decode() comes first")
        return self.frame

    def _stylized(self, stylize: Stylize, frame: Frame) -> Frame:
        if frame.alpha is not None and not self.format.alpha:
            frame = frame.on_white()
            self.notes.append(f"transparency became white, as {self.format.name} holds none")
        start = time.perf_counter()
        stylized = replace(frame, colors=stylize(frame.colors))
        self.network_seconds += time.perf_counter() - start
        self.width, self.height = stylized.colors.size
        return stylized


class Inline(Executor):
    """An executor that runs each call at once, in the caller's thread."""

    def submit(self, function, /, *arguments, **keywords):  # type: ignore[no-untyped-def]
        done: Future[object] = Future()
        try:
            done.set_result(function(*arguments, **keywords))
        except Exception as error:
            done.set_exception(error)
        return done


def _still(form: Format, frame: Frame) -> tuple[bytes, float]:
    """Encodes an animation's frame as a file of its own; returns it with its duration in milliseconds."""
    image = frame.with_alpha()
    image = image.convert("RGBA") if form.name == "PNG" else image  # all frames of a PNG have one mode
    return encode_image(image, form, frame.kept), frame.milliseconds
