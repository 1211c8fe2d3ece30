"""Streams of sound, subtitles and fonts, copied into another file without decoding."""

import io
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Stream

COPIED = ("audio", "subtitle")
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # of sound whose file gives a number of channels alone


def add_copy(container: OutputContainer, stream: Stream) -> Stream | None:
    """A stream to take the packets of another; None when this kind of file cannot hold it."""
    fonts = stream.type == "attachment" and container.format.name == "matroska"
    if stream.type not in COPIED and not fonts:
        return None
    if isinstance(stream, AudioStream) and not holds(container.format.name, stream):
        return None
    try:
        copy = copied(container, stream)
    except ValueError:
        return None
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def copied(container: OutputContainer, stream: Stream) -> Stream:
    """The new stream. Raises `ValueError` for a codec that the kind of file never has."""
    copy = container.add_stream_from_template(stream)
    context = copy.codec_context
    if isinstance(context, AudioCodecContext) and context.layout.name.endswith(" channels"):
        context.layout = LAYOUTS.get(context.layout.nb_channels, context.layout.name)
    return copy


def holds(format_name: str, stream: AudioStream) -> bool:
    """Whether a kind of file holds this sound, tried in memory: some refuse it only at the header or end."""
    try:
        with av.open(io.BytesIO(), "w", format=format_name) as trial:
            copy = copied(trial, stream)
            trial.start_encoding()
            if stream.codec_context.name.startswith("pcm_"):  # any bytes are sound
                packet = av.Packet(bytes(64))
                packet.stream, packet.time_base, packet.pts, packet.dts = copy, Fraction(1, stream.rate), 0, 0
                trial.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return True
