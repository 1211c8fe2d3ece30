"""A clip, written: new pictures with the old times, and the packets of sound and subtitles as they were."""

from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av import VideoFrame
from av.codec.codec import UnknownCodecError
from av.stream import Stream
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from stylenet.errors import UserError
from stylenet.media.video.codecs import Encoding
from stylenet.media.video.colors import Converter
from stylenet.media.video.reading import AnyPacket, Clip, Picture, one_line_errors, url
from stylenet.media.video.timing import Span

COPIED = ("audio", "subtitle")
ITS_OWN = {"major_brand", "minor_version", "compatible_brands", "encoder"}  # facts of a file, not of what it shows


class Writer:
    """A video file that takes a clip's items, the pictures stylized. Raises `UserError` when that can't be written."""

    def __init__(self, path: Path, name: str, clip: Clip, encoding: Encoding) -> None:
        self.name, self.clip, self.encoding = name, clip, encoding
        with self.errors():
            self.container = av.open(url(path), "w", format=encoding.format.name, options=encoding.format.options)
            self.container.metadata.update({k: v for k, v in clip.container.metadata.items() if k not in ITS_OWN})
            self.video = self.add_video()
            self.copies = {stream.index: copy for stream in clip.others if (copy := self.copy(stream)) is not None}
            self.add_chapters()
        self.converter = Converter()
        self.begun, self.hdr, self.size = False, False, (0, 0)
        self.early: list[AnyPacket] = []  # until the first picture tells its size
        self.durations: dict[int, int] = {}  # of the pictures that the encoder holds, by their times
        self.last: dict[int, int] = {}  # times of the copied streams
        self.seconds = Fraction(0)  # where the next picture would begin

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(av.FFmpegError):  # of a file that nobody wants, or that is closed already
            self.container.close()

    def errors(self) -> AbstractContextManager[None]:
        return one_line_errors(self.name, "can't be written with these streams and options; .mkv takes most")

    def add_video(self) -> VideoStream:
        codec = self.encoding.codec
        options = {"crf": str(self.encoding.quality), **codec.options}
        try:
            return cast(VideoStream, self.container.add_stream(codec.encoder, rate=self.clip.rate, options=options))
        except UnknownCodecError:
            raise UserError(f"PyAV here has no encoder {codec.encoder}; choose another --codec") from None

    def copy(self, stream: Stream) -> Stream | None:
        """A stream to take the packets of another; None when this kind of file can't hold it."""
        fonts = stream.type == "attachment" and self.container.format.name == "matroska"
        if stream.type not in COPIED and not fonts:
            return None
        try:
            copy = self.container.add_stream_from_template(stream)
        except ValueError:
            return None
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
        return copy

    def add_chapters(self) -> None:
        """Those of a whole clip; in a part they would name other places."""
        if self.clip.span == Span():
            self.container.set_chapters(self.clip.container.chapters())

    def left_out(self) -> list[Stream]:
        """The clip's streams that are not in the file."""
        return [stream for stream in self.clip.others if stream.index not in self.copies]

    def write(self, item: Picture | AnyPacket) -> None:
        """The next item of the clip."""
        with self.errors():
            if isinstance(item, Picture):
                self.write_picture(item)
            elif self.begun:
                self.write_packet(item)
            else:
                self.early.append(item)

    def write_picture(self, picture: Picture) -> None:
        if not self.begun:
            self.begin(picture)
        frame = self.converter.from_rgb(picture.pixels, picture.colors.encoded(), self.video.width, self.video.height)
        frame.pts, frame.time_base, frame.duration = picture.pts, self.clip.time_base, picture.duration
        self.durations[picture.pts] = picture.duration
        self.seconds = (picture.pts + picture.duration) * self.clip.time_base
        self.encode(frame)

    def begin(self, picture: Picture) -> None:
        """Size and colors, which the first picture tells; what came before it is written now."""
        height, width = picture.pixels.shape[:2]
        context, colors = self.video.codec_context, picture.colors.encoded()
        self.size, self.hdr = (width, height), picture.colors.is_hdr
        context.width, context.height = width - width % 2, height - height % 2  # a color covers 2 x 2 pixels
        context.pix_fmt, context.time_base = "yuv420p", self.clip.time_base
        context.colorspace, context.color_range = colors.matrix, ColorRange.MPEG
        context.color_primaries, context.color_trc = colors.primaries, colors.transfer
        shape = self.clip.video.sample_aspect_ratio
        if shape:
            context.sample_aspect_ratio = shape if picture.turn[0] else 1 / shape
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
        """Leaves out what is not later than the one before it, which damaged files have and no file may."""
        index, last = packet.stream.index, self.last.get(packet.stream.index)
        if packet.dts is None or last is None or packet.dts > last or packet.stream.type != "audio":
            self.last[index] = -1 if packet.dts is None else packet.dts
            packet.stream = self.copies[index]
            self.container.mux(packet)

    def finish(self) -> None:
        """Writes what the encoder still holds. The file plays from here on."""
        if not self.begun:
            raise UserError(f"{self.clip.name}: has no frame there to stylize")
        with self.errors():
            self.encode(None)
            self.container.close()
