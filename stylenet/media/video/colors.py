"""From a video's planes to RGB and back, so that no color shifts.

The numbers of matrices, primaries and transfers are those of ITU-T H.273, as FFmpeg has them.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from jaxtyping import UInt8

from stylenet.media.video.hdr import BT709, BT2020, HLG, PQ, to_sdr

UNKNOWN, BT601 = 2, 6
MATRICES = (1, 4, 5, 6, 7, 9, 10)  # those that FFmpeg converts
HD = 720, 1280  # height and width from which players take an unnamed matrix for BT.709


@dataclass(frozen=True)
class Colors:
    """What a video's numbers mean. `full`: black and white are 0 and 255, and not 16 and 235."""

    matrix: int
    primaries: int = UNKNOWN
    transfer: int = UNKNOWN
    full: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> "Colors":
        """As the frame says; what it does not say, as players guess it."""
        large = frame.height >= HD[0] or frame.width >= HD[1]
        matrix = frame.colorspace if frame.colorspace in MATRICES else (BT709 if large else BT601)
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        return cls(matrix, frame.color_primaries, frame.color_trc, full)

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG)

    def encoded(self) -> "Colors":
        """What is written: the same colors in 8 bits, within 16 to 235; BT.709 in place of HDR."""
        if self.is_hdr:
            return replace(self, matrix=BT709, primaries=BT709, transfer=BT709, full=False)
        return replace(self, matrix=BT709 if self.matrix not in (BT709, BT601) else self.matrix, full=False)


class Converter:
    """Keeps FFmpeg's tables from one frame to the next; each thread needs its own."""

    def __init__(self) -> None:
        self.convert = partial(VideoReformatter().reformat, threads=1)  # starting threads would take longer

    def to_rgb(self, frame: VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
        """The picture that a player would show; of HDR, its rendering in BT.709."""
        colors = Colors.of(frame)
        pixels = self.convert(
            frame,
            format="rgb48le" if colors.is_hdr else "rgb24",
            src_colorspace=colors.matrix,
            src_color_range=ColorRange.JPEG if colors.full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        ).to_ndarray()
        wide = colors.primaries in (BT2020, UNKNOWN)
        return to_sdr(pixels, colors.transfer, wide) if colors.is_hdr else pixels

    def from_rgb(self, pixels: UInt8[np.ndarray, "h w 3"], colors: Colors, width: int, height: int) -> VideoFrame:
        """A frame of this size to encode, with a color for each four pixels; an odd row or column is left off."""
        even = pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2]
        return self.convert(
            VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24"),
            width=width,
            height=height,
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=colors.matrix,
            dst_color_range=ColorRange.JPEG if colors.full else ColorRange.MPEG,
        )
