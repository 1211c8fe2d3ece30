"""Times in words (`1:02:03.25`), and the part of a clip between two of them."""

from dataclasses import dataclass
from fractions import Fraction

from stylenet.disk import printable
from stylenet.errors import UserError


def read_time(text: str) -> Fraction:
    """Seconds from `12.5`, `1:05` or `1:02:03.25`. Raises `UserError` for anything else."""
    parts = text.split(":")
    try:
        if not all(part.replace(".", "", 1).isdecimal() for part in parts):
            raise ValueError(text)
        *larger, seconds = (Fraction(part) for part in parts)
    except ValueError:
        raise UserError(f"a time is seconds or hours:minutes:seconds, got {printable(text)}") from None
    if len(parts) > 3 or any(part.denominator > 1 for part in larger) or (larger and seconds >= 60):
        raise UserError(f"a time is seconds or hours:minutes:seconds, got {printable(text)}")
    return sum((part * 60 ** (len(larger) - place) for place, part in enumerate(larger)), seconds)


def written_time(seconds: Fraction) -> str:
    """A time as `0:01:05.250`, which `read_time` reads; not later than what is asked."""
    minutes, rest = divmod(int(seconds * 1000), 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


@dataclass(frozen=True)
class Span:
    """A part of a clip: `start` to `end`, in seconds from the clip's beginning; without an end, to the clip's own."""

    start: Fraction = Fraction(0)
    end: Fraction | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise UserError(
                f"the end must be after the start ({written_time(self.start)}), got {written_time(self.end)}"
            )

    def __contains__(self, time: Fraction) -> bool:
        begun = time >= self.start or self.start == 0  # sound may begin a little before the first frame
        return begun and (self.end is None or time < self.end)
