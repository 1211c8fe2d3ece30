"""Times that begin again or jump within a file, as in recordings joined by `cat`: each part follows the one before."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from av import Packet

if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:
    AnyPacket = Packet  # which has no brackets at run time

# Seconds backward; times of decoding grow within a stream, but for a little in damaged files.
BACK, BACK_IF_JOINABLE = Fraction(1, 2), Fraction(1, 10)
AHEAD = 10  # seconds, from which FFmpeg's own tool takes a jump for a join


class Resets:
    """Moves packets so that their times go on where they begin again, or jump ahead in a `joinable` format.

    Each stream comes to the next part by itself, as their packets are mixed; the offset of a part is that of the first.
    """

    def __init__(self, joinable: bool = True) -> None:
        self.joinable = joinable
        self.back = BACK_IF_JOINABLE if joinable else BACK
        self.offsets = [Fraction(0)]  # of each part, in seconds
        self.parts: dict[int, int] = {}  # the part that a stream is in
        self.last: dict[int, Fraction] = {}  # times of the streams, in the whole file
        self.ends: dict[int, Fraction] = {}  # of the streams, so far

    def moved(self, packet: AnyPacket) -> AnyPacket:
        """The packet with its time in the whole file."""
        index, base = packet.stream.index, packet.time_base
        if packet.dts is not None:
            self.parts[index] = self.part_of(packet, packet.dts * base)
        shift = round(self.offsets[self.parts.get(index, 0)] / base)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
        if packet.dts is not None:
            self.last[index] = packet.dts * base
            self.ends[index] = (packet.dts + (packet.duration or 0)) * base
        return packet

    def part_of(self, packet: AnyPacket, time: Fraction) -> int:
        """The part that the packet belongs to: its stream's own or a later one, a new one where its time fits none.

        As the packets of a file are mixed by time, that in which it lies nearest to the end of what was read so far.
        """
        index = packet.stream.index
        own, end = self.parts.get(index, 0), max(self.ends.values(), default=time)
        earliest = self.last[index] - self.back if index in self.last else time + min(self.offsets)
        fitting = [part for part in range(own, len(self.offsets)) if time + self.offsets[part] >= earliest]
        nearest = min(fitting, key=lambda part: abs(time + self.offsets[part] - end), default=None)
        if packet.stream.type not in ("video", "audio"):  # subtitles may come in any order
            return own if nearest is None else nearest
        if nearest is not None:
            ahead = time + self.offsets[nearest] - end
            if not (self.joinable and (ahead > AHEAD or (nearest != own and ahead < -AHEAD))):
                return nearest
        self.offsets.append(end - time)
        return len(self.offsets) - 1
