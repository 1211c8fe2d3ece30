"""The kinds of video files that are written, and how."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from stylenet.disk import shown
from stylenet.errors import UserError


@dataclass(frozen=True)
class Codec:
    """An encoder of FFmpeg's. `quality` is its usual rate factor (CRF): the lower the better, up to `worst`."""

    encoder: str
    quality: int
    worst: int
    options: dict[str, str] = field(default_factory=dict)
    tag: str | None = None


CODECS = {
    "h264": Codec("libx264", 18, 51),
    "hevc": Codec("libx265", 20, 51, {"x265-params": "log-level=error"}, "hvc1"),  # the tag that Apple plays
    "vp9": Codec("libvpx-vp9", 24, 63, {"b": "0", "row-mt": "1"}),
    "av1": Codec("libsvtav1", 24, 63),
}
os.environ.setdefault("SVT_LOG", "1")  # else SVT-AV1 tells its life on stderr


@dataclass(frozen=True)
class Format:
    """A container of FFmpeg's, with the codecs that it holds, the default first."""

    name: str
    codecs: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)


QUICK_START = {"movflags": "+faststart"}  # plays in a browser before all of it has arrived
MP4 = Format("mp4", ("h264", "hevc", "av1", "vp9"), QUICK_START)
FORMATS = {
    ".mp4": MP4,
    ".m4v": MP4,
    ".mov": Format("mov", ("h264", "hevc"), QUICK_START),
    ".mkv": Format("matroska", ("h264", "hevc", "av1", "vp9")),
    ".webm": Format("webm", ("vp9", "av1")),
}
SUFFIXES = frozenset(FORMATS) | {
    *(".avi", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".wmv", ".asf", ".flv", ".ogv", ".3gp", ".qt")
}


@dataclass(frozen=True)
class Encoding:
    """How a file is written."""

    format: Format
    codec: Codec
    quality: int

    @classmethod
    def of(cls, target: Path, codec: str | None = None, quality: int | None = None) -> "Encoding":
        """For a file of this name. Raises `UserError` when it can't hold the codec, or the codec not the quality."""
        if target.suffix.lower() not in FORMATS:
            raise UserError(f"{shown(target)}: can't write this kind of video; there are {', '.join(FORMATS)}")
        format_ = FORMATS[target.suffix.lower()]
        name = codec or format_.codecs[0]
        if name not in format_.codecs:
            raise UserError(f"{shown(target)}: holds --codec {' or '.join(format_.codecs)}, got {name}")
        chosen = CODECS[name]
        if quality is not None and not 0 <= quality <= chosen.worst:
            raise UserError(f"--crf of {name} goes from 0, the best, to {chosen.worst}, got {quality}")
        return cls(format_, chosen, chosen.quality if quality is None else quality)
