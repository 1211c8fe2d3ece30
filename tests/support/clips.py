"""Clips for tests, made with PyAV: frames at any times, with sound, subtitles and a display matrix where wanted."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation

from stylenet.inference.stylizer import Stylizer
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet

TIME_BASE = Fraction(1, 600)
STEADY = tuple(range(0, 600, 24))  # a second at 25 frames
UNEVEN = (0, 24, 30, 90, 100, 180, 240, 500, 530)
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


def corners(height: int = 48, width: int = 64) -> np.ndarray:
    """Red and green above, blue and black below."""
    quarters = np.array([[RED, GREEN], [BLUE, BLACK]], np.uint8)
    return quarters.repeat(height // 2, 0).repeat(width // 2, 1)


def make_clip(
    path: Path,
    times: Sequence[int] = STEADY,
    picture: Callable[[int], np.ndarray] = lambda _: corners(),
    sound: bool | str = True,  # or its codec
    subtitle: str = "",
    font: bytes = b"",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    rotation: int | None = None,
) -> Path:
    """Frames at `times` in units of 1/600 s, the last for 24 of them; a second of sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "A clip"
        height, width = picture(0).shape[:2]
        video = container.add_stream(codec, rate=25, width=width, height=height, options=options or {"crf": "10"})
        video.pix_fmt = pixels
        video.codec_context.time_base = TIME_BASE
        if rotation is not None:
            video.set_display_rotation(rotation)
        voice = container.add_stream("aac" if sound is True else sound, rate=48000) if sound else None
        text = container.add_mux_stream("subrip", time_base=Fraction(1, 1000)) if subtitle else None
        if font:
            container.add_attachment("font.ttf", "application/x-truetype-font", font)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number)).reformat(format=pixels, interpolation=EXACT)
            frame.pts, frame.time_base, frame.duration = time, TIME_BASE, 24
            mux(container, video.encode(frame))
        mux(container, video.encode())
        if voice is not None:
            for frame in tone():
                mux(container, voice.encode(frame))
            mux(container, voice.encode())
        if text is not None:
            packet = av.Packet(subtitle.encode())
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = 200
            packet.duration = 300
            container.mux(packet)
    return path


def mux(container: av.container.OutputContainer, packets: list[av.Packet]) -> None:
    for packet in packets:
        if packet.stream.type == "video" and packet.pts is not None:
            packet.duration = 24
        container.mux(packet)


def tone() -> list[av.AudioFrame]:
    """A second of 440 Hz."""
    wave = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000).astype(np.float32)
    frames = []
    for start in range(0, 48_000 - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        frames.append(frame)
    return frames


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24", interpolation=EXACT) for frame in container.decode(video=0)]


def times(path: Path) -> list[Fraction]:
    """Of the pictures, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time in seconds and content of what the first stream of this kind holds."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size]


def fonts(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [stream.data for stream in container.streams if stream.type == "attachment"]


class Unchanged(TransformerNet):
    """Gives every picture back, and calls `then` with the number of pictures so far."""

    def __init__(self, then: Callable[[int], None]) -> None:
        super().__init__(NetworkSettings(width=1, blocks=1))
        self.count, self.then = 0, then

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        self.count += 1
        self.then(self.count)
        return photos


def unchanged(then: Callable[[int], None] = lambda _: None) -> Stylizer:
    return Stylizer(Unchanged(then), Card("none"), "cpu", torch.float32)
