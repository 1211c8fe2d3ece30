"""A clip, read: its pictures upright in RGB with their times, and the packets of sound and subtitles as they are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av import Packet, VideoFrame
from av.stream import Disposition, Stream
from av.video.stream import VideoStream
from jaxtyping import UInt8

from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.media.video.colors import Colors, Converter
from stylenet.media.video.timing import Span
from stylenet.media.video.turning import Turn, turn, upright

if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:
    AnyPacket = Packet  # which has no brackets when it runs

# Of FFmpeg's readers those of whole files; others follow links to files and hosts of the author's choice.
READERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg"
MICROSECOND = Fraction(1, 1_000_000)  # FFmpeg's unit for a whole file's times
PATIENCE = 10  # seconds of the file beyond --end in which sound from before it is looked for


@dataclass(frozen=True)
class Picture:
    """A frame as it is shown, from `pts` for `duration`, in units of the clip's `time_base`."""

    pixels: UInt8[np.ndarray, "h w 3"]
    pts: int
    duration: int
    colors: Colors
    turn: Turn


class Clip:
    """A video file open for reading. Raises `UserError` when it is none."""

    def __init__(self, path: Path, span: Span) -> None:
        self.name, self.span = shown(path), span
        self.damaged = 0  # packets
        with one_line_errors(self.name):
            self.container = av.open(url(path), "r", container_options={"format_whitelist": READERS})
        self.video = self.main_video()
        self.video.thread_type = "AUTO"
        self.time_base = self.video.time_base or MICROSECOND
        self.rate = self.video.average_rate or self.video.guessed_rate or Fraction(25)
        self.origin = max(0, self.container.start_time or 0) * MICROSECOND  # broadcasts begin at any time
        self.last: int | None = None  # time of a picture
        self.converter = Converter()

    def __enter__(self) -> "Clip":
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def main_video(self) -> VideoStream:
        """The first video stream that is no cover picture."""
        for stream in self.container.streams.video:
            if not stream.disposition & Disposition.attached_pic:
                return stream
        self.container.close()
        raise UserError(f"{self.name}: has no video in it")

    @property
    def others(self) -> list[Stream]:
        """All streams but the one that is stylized."""
        return [stream for stream in self.container.streams if stream is not self.video]

    @property
    def seconds(self) -> Fraction | None:
        """How long the part is that the span covers, if the file knows its own length."""
        if self.container.duration is None:
            return None
        end = self.container.duration * MICROSECOND
        return max(Fraction(0), min(end, self.span.end or end) - self.span.start)

    def items(self, copied: set[int]) -> Iterator[Picture | AnyPacket]:
        """Pictures and, of the streams with these indices, packets, in the order of the file.

        Times count from the span's start. What is damaged is left out and counted.
        """
        with one_line_errors(self.name):
            if self.span.start:
                self.container.seek(int((self.origin + self.span.start) / MICROSECOND))
            for packet in self.packets(copied):
                if packet.stream is self.video:
                    yield from self.pictures(packet)
                elif packet.pts is not None and self.since_origin(packet.pts, packet.time_base) in self.span:
                    yield self.moved(packet)
            yield from self.pictures(None)

    def packets(self, copied: set[int]) -> Iterator[AnyPacket]:
        """Of the video and of these streams, to the span's end; beyond it none can belong before it."""
        streams: list[Stream] = [self.video, *(stream for stream in self.others if stream.index in copied)]
        running = {stream.index for stream in streams if stream.type in ("video", "audio")}
        for packet in self.container.demux(*streams):
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

    def pictures(self, packet: AnyPacket | None) -> Iterator[Picture]:
        """Those that a packet completes; without one, those that the decoder still holds."""
        try:
            frames = self.video.decode(packet)
        except av.FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            self.last = self.time(frame)
            if self.since_origin(self.last, self.time_base) in self.span:
                pts = self.last - self.begin(self.time_base)
                pixels, turned = self.converter.to_rgb(frame), turn(frame)
                yield Picture(upright(pixels, turned), pts, self.duration(frame), Colors.of(frame), turned)

    def time(self, frame: VideoFrame) -> int:
        """When the frame is shown, in units of the time base; later than the one before it in damaged files too."""
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
        """With times that count from the span's start."""
        begin = self.begin(packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - begin
        packet.dts = None if packet.dts is None else packet.dts - begin
        return packet


def url(path: Path) -> str:
    """For FFmpeg, which would take `a:b.mp4` for a protocol."""
    return f"file:{os.fspath(path)}"


@contextmanager
def one_line_errors(name: str, nonsense: str = "is not a video in a format that can be read") -> Iterator[None]:
    """Turns FFmpeg's errors into `UserError`s that name the file; `nonsense` says what its "invalid" means here."""
    try:
        yield
    except av.FFmpegError as error:
        reason = nonsense if isinstance(error, ValueError) else error.strerror
        raise UserError(f"{name}: {reason}") from error
