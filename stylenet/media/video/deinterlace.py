"""Interlaced video: two fields, shot one after the other, become one whole frame."""

from collections.abc import Iterator
from fractions import Fraction

from av import FFmpegError, VideoFrame
from av.filter import Graph

# FFmpeg's best fast filter. One frame for each two fields keeps the rate; frames not marked as interlaced pass
# unchanged.
FILTER = "bwdif", "mode=send_frame:deint=interlaced"


class Deinterlacer:
    """Passes frames of one size and pixel format through FFmpeg's bwdif filter, which holds one back."""

    def __init__(self, frame: VideoFrame, time_base: Fraction) -> None:
        self.kind = kind_of(frame)
        self.graph = Graph()
        source = self.graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
        last = source
        for step in (self.graph.add(*FILTER), self.graph.add("buffersink")):
            last.link_to(step)
            last = step
        self.graph.configure()
        self.time_base = time_base

    def through(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """The frames that are complete once this one has come; after the last one (None), those held back."""
        self.graph.push(frame)
        while True:
            try:
                whole = self.graph.vpull()
            except (BlockingIOError, EOFError, FFmpegError):
                return
            if whole.pts is not None and whole.time_base:  # the filter counts in its own units
                whole.pts = round(whole.pts * whole.time_base / self.time_base)
                whole.duration = round(whole.duration * whole.time_base / self.time_base)
                whole.time_base = self.time_base
            yield whole


def kind_of(frame: VideoFrame) -> tuple[int, int, str]:
    """The properties that must stay the same within one filter."""
    return frame.width, frame.height, frame.format.name
