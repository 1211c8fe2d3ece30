"""Image files as the frames of a clip, and a clip's frames as image files: animations and numbered sequences."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from io import BufferedIOBase
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TypeVar

import numpy as np
from av.stream import Stream
from PIL import Image

from stylenet.disk import atomic_write, printable
from stylenet.errors import UserError
from stylenet.media.animation import WRITERS, AnimationInfo, Writer
from stylenet.media.encoders import encode_image
from stylenet.media.formats import WRITABLE, Format, format_of
from stylenet.media.numbered_images import NumberedImages
from stylenet.media.picture import OWN_SIZE, Frame, Picture, Size
from stylenet.media.video.reading import MOMENT, ClipFrame
from stylenet.media.video.resets import AnyPacket
from stylenet.media.video.timing import Span
from stylenet.media.video.writing import FrameSource, no_frames, on_white, precision_lost

RATE = Fraction(25)  # frames per second of a sequence
MILLISECOND = Fraction(1, 1000)
# Browsers show a GIF's frame for 0.1 s if it asks for less than this.
SHORTEST = Fraction(1, 50)
GAPS = 3  # among numbered images that a line names

S = TypeVar("S")


class Stills:
    """The base of animations and sequences as sources: no sound, no metadata, square pixels."""

    pixel_format = ""
    others: tuple[Stream, ...] = ()
    pixel_shape: Fraction | None = None
    alpha = False
    damaged = 0

    def __init__(self, name: str, span: Span) -> None:
        self.name, self.span = name, span
        self.converted: dict[str, None] = {}  # kinds of images, in the order in which they came
        self.flattened = 0  # frames

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def metadata(self) -> dict[str, str]:
        return {}

    def notes(self) -> Iterator[str]:
        """Describes what was changed or is missing, once the frames are read."""
        yield from (f"was {conversion}" for conversion in self.converted)
        if self.flattened:
            yield f"transparency of {self.flattened} frames became white, as the first frame has none"

    def pixels(self, frame: Frame) -> np.ndarray:
        """The frame's RGB, or RGBA if the first frame has an opacity."""
        self.flattened += frame.alpha is not None and not self.alpha
        return pixels_of(frame, self.alpha)

    def part(self, frames: Iterator[ClipFrame], time_base: Fraction) -> Iterator[ClipFrame | AnyPacket]:
        """The frames shown within the span, with times that count from its start."""
        # A start within a moment of the next frame is that frame's, as written times are rounded down.
        begin = ceil((self.span.start + MOMENT) / time_base) - 1
        for frame in frames:
            end = frame.pts + frame.duration
            if self.span.end is not None and frame.pts * time_base >= self.span.end:
                return
            if end > begin:
                first = max(frame.pts, begin)
                yield replace(frame, pts=first - begin, duration=end - first)


class AnimationFrames(Stills):
    """An animated GIF, PNG, WebP or AVIF as a clip. Raises `UserError` for a single image."""

    time_base = MILLISECOND

    def __init__(self, path: Path, span: Span = Span(), size: Size = OWN_SIZE) -> None:
        super().__init__(printable(path), span)
        self.picture = Picture.open(path, size)
        if not self.picture.animated:
            raise UserError(f"{self.name}: is a single image, which makes no video")
        self.converted = dict.fromkeys(self.picture.converted)
        first = next(self.picture.frames())
        self.alpha = first.alpha is not None
        self.rate = Fraction(1000, round(first.milliseconds) or 100)
        self.seconds: Fraction | None = None

    def items(self, copied: set[int]) -> Iterator[ClipFrame | AnyPacket]:
        return self.part(self.frames(), self.time_base)

    def frames(self) -> Iterator[ClipFrame]:
        time = 0
        for number, frame in enumerate(self.picture.frames(), 1):
            duration = round(frame.milliseconds) or 100  # as browsers show a frame without a duration
            yield ClipFrame(self.pixels(frame), time, duration, number=number)
            time += duration


class SequenceFrames(Stills):
    """Numbered image files as a clip of `rate` frames per second. Raises `UserError` if there are none."""

    def __init__(
        self, sequence: NumberedImages, span: Span = Span(), size: Size = OWN_SIZE, rate: Fraction = RATE
    ) -> None:
        super().__init__(printable(sequence.pattern), span)
        self.files, self.size = sequence.files(), size
        self.rate, self.time_base = rate, 1 / rate
        self.sides = (0, 0)
        self.alpha = next(Picture.open(next(iter(self.files.values())), size).frames()).alpha is not None

    def notes(self) -> Iterator[str]:
        yield from super().notes()
        if gaps := list(gaps_between(list(self.files))):
            more = f" and {len(gaps) - GAPS} more gaps" if len(gaps) > GAPS else ""
            yield f"frames are missing: {', '.join(gaps[:GAPS])}{more}; a video goes on without them"

    @property
    def seconds(self) -> Fraction | None:
        return len(self.files) / self.rate

    def items(self, copied: set[int]) -> Iterator[ClipFrame | AnyPacket]:
        return self.part(self.frames(), self.time_base)

    def frames(self) -> Iterator[ClipFrame]:
        for place, (number, file) in enumerate(self.files.items()):
            picture = Picture.open(file, self.size)
            self.converted |= dict.fromkeys(picture.converted)
            frame = next(picture.frames())
            self.sides = frame.colors.size if place == 0 else self.sides
            if frame.colors.size != self.sides:
                width, height = self.sides
                raise UserError(f"{printable(file)}: is not {width} x {height} pixels large, as the first image is")
            yield ClipFrame(self.pixels(frame), place, 1, number=number)


def gaps_between(numbers: list[int]) -> Iterator[str]:
    """The numbers that are missing in an ascending list: `4 to 6`, or `9` alone."""
    for before, after in pairwise(numbers):
        if after - before > 1:
            yield f"{before + 1}" if after - before == 2 else f"{before + 1} to {after - 1}"


def pixels_of(frame: Frame, alpha: bool) -> np.ndarray:
    """RGB, or with `alpha` RGBA."""
    colors = frame.colors if alpha else frame.on_white().colors
    pixels = np.asarray(colors)
    if not alpha:
        return pixels
    opacity = np.full(pixels.shape[:2], 255, np.uint8) if frame.alpha is None else np.asarray(frame.alpha)
    return np.dstack([pixels, opacity])


class ImageWriter:
    """The base of writers of animations and sequences: frames alone, with square pixels."""

    def __init__(self, name: str, source: FrameSource, form: Format) -> None:
        self.name, self.source, self.format = name, source, form
        self.copies: dict[int, Stream] = {}
        self.size = (0, 0)
        self.seconds = Fraction(0)
        self.begun, self.hdr = False, False

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def left_out(self) -> list[Stream]:
        return list(self.source.others)

    def notes(self) -> Iterator[str]:
        if self.hdr:
            yield "HDR became BT.709, as an ordinary screen shows it"
        if self.source.alpha and not self.format.alpha:
            yield f"transparency became white, as {self.format.name} holds none"
        if lost := precision_lost(self.source.pixel_format, "rgb24"):
            yield lost

    def write(self, item: ClipFrame | AnyPacket) -> None:
        if isinstance(item, ClipFrame):
            image = self.image_of(item)
            self.format.check_side(max(image.size))
            self.size, self.hdr = image.size, item.colors.is_hdr
            self.seconds = (item.pts + item.duration) * self.source.time_base
            self.add(image, item)
            self.begun = True

    def image_of(self, item: ClipFrame) -> Image.Image:
        """The frame in square pixels."""
        image = Image.fromarray(np.ascontiguousarray(item.pixels))
        shape = self.source.pixel_shape
        if shape is None or shape == 1:
            return image
        wide = shape if item.turn[0] else 1 / shape
        return image.resize((max(1, round(image.width * wide)), image.height), Image.Resampling.LANCZOS)

    def add(self, image: Image.Image, item: ClipFrame) -> None:
        """Writes the image that an item became."""
        raise NotImplementedError

    def finish(self) -> None:
        if not self.begun:
            raise no_frames(self.source)


class AnimationWriter(ImageWriter):
    """An animated GIF, PNG or WebP by its suffix, repeated for ever. `quality`, 1 to 100, is WebP's.

    A GIF has no frames shorter than 0.02 s: those of a faster clip are left out.
    """

    def __init__(self, path: Path, target: Path, source: FrameSource, quality: int | None = None) -> None:
        super().__init__(printable(target), source, WRITABLE[target.suffix.lower()].at_quality(quality))
        self.file: BufferedIOBase = path.open("wb")
        self.writer: Writer | None = None
        self.skipped = 0
        self.waiting: tuple[bytes, Fraction, Fraction] | None = None  # a still, its begin and its end

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def notes(self) -> Iterator[str]:
        yield from super().notes()
        if self.skipped:
            yield f"{self.skipped} frames left out, as GIF shows none for less than 0.02 s"

    def add(self, image: Image.Image, item: ClipFrame) -> None:
        time, duration = (value * self.source.time_base for value in (item.pts, item.duration))
        if self.waiting is not None:
            still, begin, _ = self.waiting
            if self.format.name == "GIF" and time - begin < SHORTEST:
                self.skipped += 1
                self.waiting = still, begin, time + duration
                return
            self.put(still, begin, time)
        mode = "RGBA" if self.format.name == "PNG" or image.mode == "RGBA" else "RGB"
        if self.writer is None:
            self.writer = WRITERS[self.format.name](self.file, AnimationInfo(*image.size))
        self.waiting = encode_image(image.convert(mode), self.format), time, time + duration

    def put(self, still: bytes, begin: Fraction, end: Fraction) -> None:
        """Writes a still; durations are differences of rounded times, so that no error adds up."""
        unit = Fraction(1, 100 if self.format.name == "GIF" else 1000)
        if self.writer is not None:
            self.writer.add(still, float((round(end / unit) - round(begin / unit)) * unit * 1000))

    def finish(self) -> None:
        super().finish()
        if self.waiting is not None:
            self.put(*self.waiting)
        if self.writer is not None:
            self.writer.finish()
        self.file.close()


class SequenceWriter(ImageWriter):
    """Image files with the numbers of the frames, so that a part of a clip has the same names as in the whole.

    Each is whole once it has its name. `quality`: of JPEG and WebP.
    """

    def __init__(self, sequence: NumberedImages, source: FrameSource, quality: int | None = None) -> None:
        super().__init__(printable(sequence.pattern), source, format_of(sequence.pattern).at_quality(quality))
        self.sequence = sequence

    def add(self, image: Image.Image, item: ClipFrame) -> None:
        pixels = image if self.format.alpha else Image.fromarray(on_white(np.asarray(image)))
        data = encode_image(pixels, self.format)
        with atomic_write(self.sequence.file(item.number)) as temporary:
            temporary.write_bytes(data)
