"""Times that begin again within a file, as in recordings joined by `cat`: each part follows the one before it."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from av import Packet

if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:
    AnyPacket = Packet

JUMP = Fraction(1, 2)  # seconds backward; times of decoding grow within a stream, but for a little in damaged files


class Resets:
    """Moves packets so that their times go on where they begin again.

    Each stream comes to the next part by itself, as their packets are mixed; the offset of a part is that of the first.
    """

    def __init__(self) -> None:
        self.offsets = [Fraction(0)]  # of each part, in seconds
        self.parts: dict[int, int] = {}  # the part that a stream is in
        self.ends: dict[int, Fraction] = {}  # of the streams, so far

    def moved(self, packet: AnyPacket) -> AnyPacket:
        """The packet with its time in the whole file."""
        index, base = packet.stream.index, packet.time_base
        if packet.dts is not None:
            self.advance(packet, packet.dts * base)
        shift = round(self.offsets[self.parts.get(index, 0)] / base)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
        if packet.dts is not None:
            self.ends[index] = (packet.dts + (packet.duration or 0)) * base
        return packet

    def advance(self, packet: AnyPacket, time: Fraction) -> None:
        """Takes the packet's stream into the next part if its time jumps back."""
        index = packet.stream.index
        part = self.parts.get(index, 0)
        if time + self.offsets[part] >= self.ends.get(index, time) - JUMP:
            return
        if part + 1 == len(self.offsets):
            if packet.stream.type not in ("video", "audio"):  # subtitles may come in any order
                return
            self.offsets.append(max(self.ends.values()) - time)
        self.parts[index] = part + 1
