"""Messages between the front process and a worker: plain values, which are pickled through a pipe."""

import math
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from stylenet.inference.settings import Brush
from stylenet.media.limits import TooManyPixelsError
from stylenet.media.picture import Size

PING = None  # a message that is answered by itself
BEGUN = "begun"  # a worker's first message about each work


@dataclass(frozen=True)
class Work:
    """An image or a clip to stylize.

    `data` is the file's content, or the path where the service stored an upload; a result goes back through the pipe,
    or into `target`. `format` is a suffix such as `.png`, None the input's own. `pixels` limits all frames together,
    `seconds` the time for the work. `deadline` is a reading of `time.monotonic`, which has one origin for all
    processes of a machine.
    """

    style: str
    data: bytes | Path
    size: Size
    pixels: int
    seconds: float
    deadline: float = math.inf
    brush: Brush = Brush()
    mask: bytes | None = None
    mask_invert: bool = False
    format: str | None = None
    quality: int | None = None
    target: Path | None = None

    def check_stroke(self, width: int, height: int) -> None:
        """Raises `TooManyPixelsError` where strokes narrower than the network's need too large a photo inside it."""
        pixels = int(width * height / min(1.0, self.brush.stroke) ** 2)
        if pixels > self.size.max_pixels:
            limit = f"more than the limit of {self.size.max_pixels:,}"
            raise TooManyPixelsError(f"with stroke={self.brush.stroke:g} the image becomes {pixels:,} pixels, {limit}")


@dataclass(frozen=True)
class Done:
    """A result. `data` is empty if it was written into the work's target."""

    data: bytes
    media_type: str
    suffix: str
    width: int
    height: int
    notes: list[str] = field(default_factory=list)
    network_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Refused:
    """A mistake of the client's: an HTTP status and a line."""

    status: int
    message: str


@dataclass(frozen=True)
class Failed:
    """A fault of the service's own: its traceback is logged, the client gets the HTTP status and the line."""

    traceback: str
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    message: str = "internal error"


Reply = Done | Refused | Failed
