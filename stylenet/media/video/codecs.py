"""The video files that can be written: containers, codecs and their quality."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from stylenet.disk import printable
from stylenet.errors import UserError


@dataclass(frozen=True)
class Codec:
    """An FFmpeg encoder. `default_crf` is its rate factor (lower is better), at most `max_crf`; 0 and 0: it has none.

    `pixels` is the pixel format of opaque frames, `alpha` that of transparent ones, if there is one.
    """

    encoder: str
    default_crf: int = 0
    max_crf: int = 0
    options: dict[str, str] = field(default_factory=dict)
    tag: str | None = None
    pixels: str = "yuv420p"
    alpha: str | None = None


CODECS = {
    "h264": Codec("libx264", 18, 51),
    "hevc": Codec("libx265", 20, 51, {"x265-params": "log-level=error"}, "hvc1"),  # the tag that Apple plays
    "vp9": Codec("libvpx-vp9", 24, 63, {"b": "0", "row-mt": "1"}, alpha="yuva420p"),
    "av1": Codec("libsvtav1", 24, 63),
    "prores": Codec("prores_ks", options={"profile": "4444"}, pixels="yuv444p10le", alpha="yuva444p10le"),
}
os.environ.setdefault("SVT_LOG", "1")  # silences SVT-AV1's log on stderr


@dataclass(frozen=True)
class Format:
    """An FFmpeg container with the codecs that it holds, the default first."""

    name: str
    codecs: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    alpha: bool = True  # whether it holds transparent frames, in some codec

    def codec(self, name: str | None = None, alpha: bool = False) -> Codec:
        """The named codec, or the default, which for transparent frames is one that holds them, if there is any.

        Raises `UserError` for a codec that the container does not hold.
        """
        if name is not None and name not in self.codecs:
            raise UserError(f"{self.name} holds {' or '.join(self.codecs)}, not {name}")
        transparent = [codec for codec in self.codecs if CODECS[codec].alpha] if alpha and self.alpha else []
        return CODECS[name or (*transparent, self.codecs[0])[0]]


QUICK_START = {"movflags": "+faststart"}  # playable in a browser before the whole file has arrived
MP4 = Format("mp4", ("h264", "hevc", "av1", "vp9"), QUICK_START, alpha=False)
FORMATS = {
    ".mp4": MP4,
    ".m4v": MP4,
    ".mov": Format("mov", ("h264", "hevc", "prores"), QUICK_START),
    ".mkv": Format("matroska", ("h264", "hevc", "av1", "vp9", "prores")),
    ".webm": Format("webm", ("vp9", "av1")),
}
SUFFIXES = frozenset(FORMATS) | {
    *(".avi", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".wmv", ".asf", ".flv", ".ogv", ".3gp", ".qt")
}


@dataclass(frozen=True)
class Encoding:
    """Settings of a video file to be written."""

    format: Format
    codec: Codec
    crf: int

    @classmethod
    def of(cls, target: Path, codec: str | None = None, crf: int | None = None, alpha: bool = False) -> "Encoding":
        """The encoding of a file by its suffix; `alpha`: its frames are transparent.

        Raises `UserError` for a suffix that is not written, a codec that it does not hold, a CRF that the codec
        does not have.
        """
        format_ = format_of(target)
        chosen = format_.codec(codec, alpha)
        if crf is not None and chosen.max_crf == 0 and chosen != format_.codec(codec):
            problem = f"{printable(target)}: transparent frames need {chosen.encoder} here, which takes no CRF"
            raise UserError(f"{problem}: leave it out, or choose {format_.codecs[0]}, where transparency becomes white")
        return cls(format_, chosen, rate_factor(chosen, crf))


def format_of(target: Path) -> Format:
    """The container that a suffix means. Raises `UserError`."""
    found = FORMATS.get(target.suffix.lower())
    if found is None:
        raise UserError(f"{printable(target)}: cannot write this kind of video; supported: {', '.join(FORMATS)}")
    return found


def rate_factor(codec: Codec, crf: int | None = None) -> int:
    """The codec's CRF, by default its own. Raises `UserError` for one out of its range."""
    if crf is None:
        return codec.default_crf
    if not codec.max_crf:
        raise UserError(f"{codec.encoder} takes no CRF: leave it out, or choose another codec")
    if not 0 <= crf <= codec.max_crf:
        raise UserError(f"{codec.encoder} takes 0 (best) to {codec.max_crf}, got {crf}")
    return crf
