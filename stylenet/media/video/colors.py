"""Converts a video's planes to RGB and back, exact to half a level of 255.

The numbers of matrices, primaries and transfers are those of ITU-T H.273, as FFmpeg has them.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from jaxtyping import UInt8

from stylenet.media.video.hdr import BT709, BT2020, HLG, PQ, to_sdr

UNKNOWN, BT601 = 2, 6
MATRICES = (1, 4, 5, 6, 7, 9, 10)  # those that FFmpeg converts
# Without these flags FFmpeg takes fast tables, by which all colors are 0.9 of 255 too dark on average and 2.7 at most.
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
HD = 720, 1280  # height and width from which players take an unnamed matrix for BT.709


@dataclass(frozen=True)
class Colors:
    """The meaning of a video's numbers. `full`: black and white are 0 and 255, else 16 and 235."""

    matrix: int
    primaries: int = UNKNOWN
    transfer: int = UNKNOWN
    full: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> "Colors":
        """The colors of a frame; what it does not say is guessed as players do."""
        large = frame.height >= HD[0] or frame.width >= HD[1]
        matrix = frame.colorspace if frame.colorspace in MATRICES else (BT709 if large else BT601)
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        return cls(matrix, frame.color_primaries, frame.color_trc, full)

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG)

    def encoded(self) -> "Colors":
        """The colors to write: the same in 8 bits, within 16 to 235; BT.709 in place of HDR."""
        if self.is_hdr:
            return replace(self, matrix=BT709, primaries=BT709, transfer=BT709, full=False)
        return replace(self, matrix=BT709 if self.matrix not in (BT709, BT601) else self.matrix, full=False)


class Converter:
    """Converts frames to RGB and back; keeps FFmpeg's tables between frames, so each thread needs its own."""

    def __init__(self) -> None:
        # A single thread, as starting others takes longer than they save.
        self.convert = partial(VideoReformatter().reformat, threads=1, interpolation=EXACT)

    def to_rgb(self, frame: VideoFrame) -> UInt8[np.ndarray, "h w c"]:
        """The pixels that a player would show, with their opacity as a fourth channel if the frame has one.

        HDR is rendered in BT.709.
        """
        colors = Colors.of(frame)
        deep = colors.is_hdr
        pixels = self.convert(
            frame,
            format="rgb48le" if deep else "rgba" if has_alpha(frame) else "rgb24",
            src_colorspace=colors.matrix,
            src_color_range=ColorRange.JPEG if colors.full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        ).to_ndarray()
        wide = colors.primaries in (BT2020, UNKNOWN)
        return to_sdr(pixels, colors.transfer, wide) if deep else pixels

    def from_rgb(
        self, pixels: UInt8[np.ndarray, "h w c"], colors: Colors, width: int, height: int, format: str = "yuv420p"
    ) -> VideoFrame:
        """A frame of this size and pixel format to encode, of RGB or RGBA pixels; an odd row or column is cut off."""
        even = pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2]
        return self.convert(
            VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgba" if pixels.shape[2] == 4 else "rgb24"),
            width=width,
            height=height,
            format=format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=colors.matrix,
            dst_color_range=ColorRange.JPEG if colors.full else ColorRange.MPEG,
        )


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the frame's pixels have an opacity."""
    return any(component.is_alpha for component in frame.format.components)
