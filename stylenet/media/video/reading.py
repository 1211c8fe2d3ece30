"""Clips, read: frames upright in RGB with their times, and the packets of sound and subtitles as they are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import CodecContext, VideoFrame
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from jaxtyping import UInt8
from PIL import Image

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.media.picture import OWN_SIZE, Size, resized_pixels
from stylenet.media.video.colors import Colors, Converter
from stylenet.media.video.deinterlace import Deinterlacer, kind_of
from stylenet.media.video.files import number_of, one_line_errors, url
from stylenet.media.video.resets import AnyPacket, Resets
from stylenet.media.video.timing import Span, written_time
from stylenet.media.video.turning import UPRIGHT, Turn, turn, upright

# FFmpeg's readers of whole files; others follow links to files and hosts of the author's choice.
READERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg"
JOINABLE = ("mpegts", "mpeg")  # of which `cat` makes one file; a seek in them lands anywhere
# FFmpeg takes a clock that begins again for one of 33 bits that ran over; `Resets` takes both for a join.
OPTIONS = {"format_whitelist": READERS, "correct_ts_overflow": "0"}
LATEST = 2**53  # microseconds: FFmpeg seeks no later than at 2**63, in units of its own
MICROSECOND = Fraction(1, 1_000_000)  # FFmpeg's unit for a whole file's times
PATIENCE = 10  # seconds of the file after the span's end in which sound from before it is looked for
MOMENT = Fraction(1, 1000)  # seconds, as exact as times are written; a frame shown for less of the span is left out
EXACT_LENGTH, MISSED = ("mov,", "matroska,"), 1  # formats whose length is exact, and seconds of it that are missed
WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # decoders that read opacity, which FFmpeg's own ones skip


@dataclass(frozen=True)
class ClipFrame:
    """A frame as it is shown, from `pts` for `duration`, in units of the clip's `time_base`.

    `pixels` are RGB, or RGBA where the clip has an opacity. `number` is that of its file among numbered images: its
    place in the whole clip, from 1 on, or the number of the image file that it comes from.
    """

    pixels: UInt8[np.ndarray, "h w c"]
    pts: int
    duration: int
    colors: Colors = Colors(1, 1, 1)
    turn: Turn = UPRIGHT
    number: int = 0


class Clip:
    """A video file open for reading; its frames are resized as `size` says. Raises `UserError` if it is no video.

    Frames have a `number` if `numbered`. They are then decoded from the file's beginning, as nothing else counts them.
    `name` is the file's in messages, by default its path.
    """

    def __init__(
        self, path: Path, span: Span, size: Size = OWN_SIZE, numbered: bool = False, name: str | None = None
    ) -> None:
        self.name, self.span, self.size, self.numbered = name or printable(path), span, size, numbered
        self.count = 0  # frames so far
        self.damaged = 0  # packets
        with one_line_errors(self.name):
            self.container = av.open(url(path), "r", metadata_errors="replace", container_options=OPTIONS)
        self.resets = Resets(self.container.format.name in JOINABLE)
        self.video = self.main_video()
        self.alpha, self.decoder = self.choose_decoder()
        self.decoder.thread_type = "AUTO"
        self.time_base = self.video.time_base or MICROSECOND
        self.rate = self.video.average_rate or self.video.guessed_rate or Fraction(25)
        self.origin = max(0, self.container.start_time or 0) * MICROSECOND  # broadcasts begin at any time
        self.last: int | None = None  # time of a frame
        self.converter = Converter()
        self.deinterlacer: Deinterlacer | None = None
        self.pixel_format = ""  # of the first frame
        self.first: ClipFrame | None = None
        self.scaled = 0  # frames of another size than the first
        self.end = Fraction(0)  # of all that was read, in seconds of the file
        self.whole = False  # whether all sound was read too, until the end

    def __enter__(self) -> "Clip":
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def main_video(self) -> VideoStream:
        """The first video stream that is no cover image."""
        for stream in self.container.streams.video:
            if not stream.disposition & Disposition.attached_pic:
                return stream
        self.container.close()
        raise UserError(f"{self.name}: has no video in it")

    def choose_decoder(self) -> tuple[bool, VideoCodecContext]:
        """Whether the frames have an opacity, and a decoder that reads it."""
        context: VideoCodecContext | None = self.video.codec_context  # PyAV's types promise one
        if context is None:
            self.container.close()
            raise UserError(f"{self.name}: has a video in a codec that cannot be read")
        name = WITH_ALPHA.get(context.codec.canonical_name)
        if name and self.video.metadata.get("alpha_mode") == "1":
            decoder = CodecContext.create(name, "r")
            decoder.extradata = context.extradata
            return True, decoder  # type: ignore[return-value]
        if self.container.format.name == "avi" and context.codec.canonical_name == "rawvideo":
            return False, context  # the fourth byte of its pixels has no meaning, and is 0 in most files
        components = context.format.components if context.format else ()
        return any(component.is_alpha for component in components), context

    @property
    def others(self) -> list[Stream]:
        """All streams but the one that is stylized."""
        return [stream for stream in self.container.streams if stream is not self.video]

    @property
    def seconds(self) -> Fraction | None:
        """The length of the span, if the file knows its own length."""
        if self.container.duration is None:
            return None
        end = self.container.duration * MICROSECOND
        return max(Fraction(0), min(end, self.span.end or end) - self.span.start)

    @property
    def metadata(self) -> dict[str, str]:
        return self.container.metadata

    @property
    def pixel_shape(self) -> Fraction | None:
        """Width over height of a pixel as it is stored, if the file says so."""
        return self.video.sample_aspect_ratio

    def notes(self) -> Iterator[str]:
        """Describes what was changed or left out, once the frames are read."""
        if self.deinterlacer is not None:
            yield "deinterlaced"
        if len(self.resets.offsets) > 1:
            yield f"{len(self.resets.offsets)} parts, as its times begin again or jump, follow each other"
        if self.scaled and self.first is not None:
            height, width = self.first.pixels.shape[:2]
            yield f"{number_of(self.scaled, 'frame')} of another size scaled to {width} x {height}"
        if self.damaged:
            yield f"{number_of(self.damaged, 'damaged packet')} left out"
        length = self.length if self.whole and self.span.end is None else None
        if length is not None and self.end < length - MISSED:
            yield f"the file ends at {written_time(self.end)} of {written_time(length)}"

    @property
    def length(self) -> Fraction | None:
        """What a file that may be cut off says of its length in seconds, if that is exact."""
        if not self.container.format.name.startswith(EXACT_LENGTH):
            return None
        if self.video.duration is not None:
            return self.video.duration * self.time_base
        return None if self.container.duration is None else self.container.duration * MICROSECOND

    def items(self, copied: set[int]) -> Iterator[ClipFrame | AnyPacket]:
        """Frames and, of the streams with these indices, packets, in the order of the file.

        Times count from the span's start. What is damaged is left out and counted.
        """
        with one_line_errors(self.name):
            if self.span.start and not self.numbered and not self.resets.joinable:
                self.container.seek(min(int((self.origin + self.span.start) / MICROSECOND), LATEST))
            for packet in self.packets(copied):
                if packet.pts is not None:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    self.end = max(self.end, end - self.origin)
                if packet.stream is self.video:
                    yield from self.frames(packet)
                elif packet.pts is not None and self.since_origin(packet.pts, packet.time_base) in self.span:
                    yield self.moved(packet)
            yield from self.frames(None)
        self.whole = all(stream.index in copied for stream in self.others if stream.type == "audio")

    def packets(self, copied: set[int]) -> Iterator[AnyPacket]:
        """Yields packets of the video and of these streams up to the span's end; later ones cannot belong before it."""
        streams: list[Stream] = [self.video, *(stream for stream in self.others if stream.index in copied)]
        running = {stream.index for stream in streams if stream.type in ("video", "audio")}
        for packet in map(self.resets.moved, self.container.demux(*streams)):
            late = self.lateness(packet)
            if late >= 0:
                running.discard(packet.stream.index)
                if not running or late > PATIENCE:
                    return
            elif packet.size:  # an empty one closes its stream
                yield packet

    def lateness(self, packet: AnyPacket) -> Fraction:
        """Seconds since the span's end, before which nothing in the packet is shown; below 0 within the span."""
        if self.span.end is None or packet.dts is None:
            return Fraction(-1)
        return self.since_origin(packet.dts, packet.time_base) - self.span.end

    def frames(self, packet: AnyPacket | None) -> Iterator[ClipFrame]:
        """The frames that a packet completes; without one, those that decoder and filter still hold."""
        try:
            decoded = self.decoder.decode(packet)
        except av.FFmpegError:
            self.damaged += 1
            return
        for frame in decoded:
            self.last = frame.pts = self.time(frame)
            frame.time_base = self.time_base
            for whole in self.progressive(frame):
                yield from self.shown(whole)
        if packet is None and self.deinterlacer is not None:
            for whole in self.deinterlacer.through(None):
                yield from self.shown(whole)

    def progressive(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """The frame, deinterlaced from the first interlaced one on."""
        filter_ = self.deinterlacer
        if filter_ is not None and filter_.kind != kind_of(frame):
            yield from filter_.through(None)
            filter_ = None
        if filter_ is None and (frame.interlaced_frame or self.deinterlacer is not None):
            self.deinterlacer = filter_ = Deinterlacer(frame, self.time_base)
        yield from [frame] if filter_ is None else filter_.through(frame)

    def shown(self, frame: VideoFrame) -> Iterator[ClipFrame]:
        """The frame as it is shown within the span: upright, at its size, from the span's start at the earliest."""
        self.count += 1
        begin, given = self.begin(self.time_base), frame.pts or 0
        end = given + self.duration(frame)
        start = self.since_origin(given, self.time_base)
        if self.span.end is not None and start >= self.span.end:
            return
        if self.span.start and self.since_origin(end, self.time_base) < self.span.start + MOMENT:
            return
        self.pixel_format = self.pixel_format or frame.format.name
        first = max(given, begin) if self.span.start else given
        turned = turn(frame)
        decoded = self.converter.to_rgb(frame)
        decoded = decoded if self.alpha else np.ascontiguousarray(decoded[..., :3])
        pixels = resized_pixels(upright(decoded, turned), self.size)
        number = self.count if self.numbered else 0
        item = ClipFrame(pixels, first - begin, end - first, Colors.of(frame), turned, number)
        if self.first is None:
            self.first = item
        yield self.like_first(item, self.first)

    def like_first(self, item: ClipFrame, first: ClipFrame) -> ClipFrame:
        """The frame in the first one's size and, once encoded, colors: what is written has one of each."""
        (height, width), pixels = first.pixels.shape[:2], item.pixels
        if pixels.shape[:2] != (height, width):
            self.scaled += 1
            pixels = np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
        return replace(item, pixels=pixels, colors=first.colors, turn=first.turn)

    def time(self, frame: VideoFrame) -> int:
        """The frame's time in units of the time base; later than the one before it in damaged files too."""
        given = frame.dts if self.container.format.name == "avi" else frame.pts  # AVI has times of decoding alone
        if self.last is None:
            return given or 0
        return max(self.last + 1, self.last + self.duration(frame) if given is None else given)

    def duration(self, frame: VideoFrame) -> int:
        return frame.duration or round(1 / (self.rate * self.time_base))

    def since_origin(self, time: int, time_base: Fraction) -> Fraction:
        """Seconds from the file's beginning."""
        return time * time_base - self.origin

    def begin(self, time_base: Fraction) -> int:
        """The span's start, in these units."""
        return round((self.origin + self.span.start) / time_base)

    def moved(self, packet: AnyPacket) -> AnyPacket:
        """The packet with times that count from the span's start."""
        begin = self.begin(packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - begin
        packet.dts = None if packet.dts is None else packet.dts - begin
        return packet
