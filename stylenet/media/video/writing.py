"""Clips, written: new frames with the old times, and the packets of sound and subtitles as they were."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import av
import numpy as np
from av import VideoFrame
from av.codec.codec import UnknownCodecError
from av.stream import Stream
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from stylenet.errors import UserError
from stylenet.media.video.codecs import Encoding
from stylenet.media.video.colors import Converter
from stylenet.media.video.copying import add_copy
from stylenet.media.video.files import number_of, one_line_errors, url
from stylenet.media.video.reading import Clip, ClipFrame
from stylenet.media.video.resets import AnyPacket
from stylenet.media.video.timing import Span

ITS_OWN = {"major_brand", "minor_version", "compatible_brands", "encoder"}  # facts of a file, not of what it shows


@runtime_checkable
class FrameSource(Protocol):
    """A source of frames for a video: a `Clip`, or image files (`stylenet.media.video.stills`).

    `alpha`: frames have an opacity. `pixel_shape` is the width over the height of a pixel, None for square ones.
    """

    name: str
    rate: Fraction
    time_base: Fraction
    alpha: bool
    pixel_format: str
    span: Span
    damaged: int  # packets

    @property
    def others(self) -> Sequence[Stream]: ...
    @property
    def seconds(self) -> Fraction | None: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    @property
    def pixel_shape(self) -> Fraction | None: ...
    def items(self, copied: set[int]) -> Iterator[ClipFrame | AnyPacket]: ...
    def notes(self) -> Iterator[str]: ...


class VideoWriter:
    """A video file that takes a source's items, the frames stylized. Raises `UserError` when it cannot be written."""

    def __init__(self, path: Path, name: str, source: FrameSource, encoding: Encoding) -> None:
        self.name, self.source, self.encoding = name, source, encoding
        with self.errors():
            self.container = av.open(url(path), "w", format=encoding.format.name, options=encoding.format.options)
            self.container.metadata.update({k: v for k, v in source.metadata.items() if k not in ITS_OWN})
            self.video = self.add_video()
            self.copies = {stream.index: copy for stream in source.others if (copy := add_copy(self.container, stream))}
            self.add_chapters()
        self.converter = Converter()
        self.begun, self.hdr, self.size = False, False, (0, 0)
        self.alpha = source.alpha and encoding.format.alpha and encoding.codec.alpha is not None
        self.early: list[AnyPacket] = []  # until the size is known, with the first frame
        self.durations: dict[int, int] = {}  # of the frames that the encoder holds, by their times
        self.last: dict[int, int] = {}  # times of the copied streams
        self.seconds = Fraction(0)  # where the next frame would begin

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(av.FFmpegError):  # of a file that was given up, or is closed already
            self.container.close()

    def errors(self) -> AbstractContextManager[None]:
        return one_line_errors(self.name, "cannot be written with these streams and options; .mkv takes most")

    def add_video(self) -> VideoStream:
        codec = self.encoding.codec
        options = {**({"crf": str(self.encoding.crf)} if codec.max_crf else {}), **codec.options}
        try:
            return cast(VideoStream, self.container.add_stream(codec.encoder, rate=self.source.rate, options=options))
        except UnknownCodecError:
            raise UserError(f"PyAV here has no encoder {codec.encoder}; choose another codec") from None

    def add_chapters(self) -> None:
        """Copies the chapters of a whole clip; in a part they would name other places."""
        if isinstance(self.source, Clip) and self.source.span == Span():
            self.container.set_chapters(self.source.container.chapters())

    def left_out(self) -> list[Stream]:
        """The source's streams that are not in the file."""
        return [stream for stream in self.source.others if stream.index not in self.copies]

    def notes(self) -> Iterator[str]:
        """Parts of the source that the file does not have."""
        width, height = self.size
        if self.hdr:
            yield "HDR became BT.709, as an ordinary screen shows it"
        if width % 2 or height % 2:
            yield f"{width} x {height} pixels lost a row or column, as the encoder takes even sides only"
        if self.source.alpha and not self.alpha:
            yield f"transparency became white, as {self.encoding.codec.encoder} in this file holds none"
        if lost := precision_lost(self.source.pixel_format, self.pixel_format):
            yield lost

    @property
    def pixel_format(self) -> str:
        codec = self.encoding.codec
        return codec.alpha if self.alpha and codec.alpha else codec.pixels

    def write(self, item: ClipFrame | AnyPacket) -> None:
        """Writes the next item of the source."""
        with self.errors():
            if isinstance(item, ClipFrame):
                self.write_frame(item)
            elif self.begun:
                self.write_packet(item)
            else:
                self.early.append(item)

    def write_frame(self, item: ClipFrame) -> None:
        if not self.begun:
            self.begin(item)
        colors, sides = item.colors.encoded(), (self.video.width, self.video.height)
        pixels = item.pixels if self.alpha else on_white(item.pixels)
        frame = self.converter.from_rgb(pixels, colors, *sides, self.pixel_format)
        frame.pts, frame.time_base, frame.duration = item.pts, self.source.time_base, item.duration
        self.durations[item.pts] = item.duration
        self.seconds = (item.pts + item.duration) * self.source.time_base
        self.encode(frame)

    def begin(self, frame: ClipFrame) -> None:
        """Sets size and colors, known from the first frame; what came before it is written now."""
        height, width = frame.pixels.shape[:2]
        context, colors = self.video.codec_context, frame.colors.encoded()
        self.size, self.hdr = (width, height), frame.colors.is_hdr
        context.width, context.height = width - width % 2, height - height % 2  # a color covers 2 x 2 pixels
        context.pix_fmt, context.time_base = self.pixel_format, self.source.time_base
        context.colorspace, context.color_range = colors.matrix, ColorRange.MPEG
        context.color_primaries, context.color_trc = colors.primaries, colors.transfer
        shape = self.source.pixel_shape
        if shape:
            context.sample_aspect_ratio = shape if frame.turn[0] else 1 / shape
        if self.encoding.codec.tag:
            context.codec_tag = self.encoding.codec.tag
        self.begun = True
        for packet in self.early:
            self.write_packet(packet)
        self.early.clear()

    def encode(self, frame: VideoFrame | None) -> None:
        for packet in self.video.encode(frame):
            if packet.pts in self.durations:  # which not every encoder hands through
                packet.duration = self.durations.pop(packet.pts)
            self.container.mux(packet)

    def write_packet(self, packet: AnyPacket) -> None:
        """Writes a packet, unless it is not later than the one before it, as in damaged files."""
        index, last = packet.stream.index, self.last.get(packet.stream.index)
        if packet.dts is None or last is None or packet.dts > last or packet.stream.type != "audio":
            self.last[index] = -1 if packet.dts is None else packet.dts
            packet.stream = self.copies[index]
            self.container.mux(packet)

    def finish(self) -> None:
        """Writes what the encoder still holds; the file can be played afterwards."""
        if not self.begun:
            raise no_frames(self.source)
        with self.errors():
            self.encode(None)
            self.container.close()


def no_frames(source: FrameSource) -> UserError:
    """The error of a source that gave none."""
    if source.span != Span():
        return UserError(f"{source.name}: no frames in that range")
    damage = f" ({number_of(source.damaged, 'damaged packet')})" if source.damaged else ""
    return UserError(f"{source.name}: has no frame that can be decoded{damage}")


def on_white(pixels: np.ndarray) -> np.ndarray:
    """RGB of pixels that may have an opacity, laid on white."""
    if pixels.shape[2] == 3:
        return pixels
    share = pixels[..., 3:].astype(np.float32) / 255
    return (pixels[..., :3] * share + 255 * (1 - share)).round().astype(np.uint8)


def precision_lost(before: str, after: str) -> str:
    """Describes what a pixel format loses against another: bits of a color, or resolution of colors."""
    if not before:
        return ""
    old, new = av.VideoFormat(before), av.VideoFormat(after)
    lost = []
    if max(component.bits for component in old.components) > 8:
        lost.append(f"{max(component.bits for component in old.components)}-bit color became 8-bit")
    if new.chroma_width(8) > 0 and new.chroma_width(8) < old.chroma_width(8):
        lost.append("color was reduced to half resolution")
    return ", ".join(lost)
