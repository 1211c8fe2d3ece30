"""Progress of a clip: a bar with the time left, or plain lines where there is no terminal."""

import time
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

BAR = "{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left"
# Without a terminal: a line each tenth of the clip, at most every 10 s, and at least every three minutes.
LINES, SHORTEST, LONGEST = 10, 10.0, 180.0


class Progress:
    """Counts frames. Without a terminal, `say` takes lines instead of the bar, if it is given."""

    def __init__(self, name: str, total: int | None, say: Callable[[str], None] | None) -> None:
        self.name, self.total, self.say = name, total, say
        self.count = self.shown = 0
        self.began = self.line_at = time.perf_counter()

    def __enter__(self) -> "Progress":
        self.bar = tqdm(total=self.total, unit=" frames", desc=self.name, disable=None, leave=False, bar_format=BAR)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.bar.close()

    def update(self) -> None:
        """Counts a frame."""
        self.count += 1
        self.bar.update()
        if self.bar.disable and self.say is not None and self.is_due(time.perf_counter() - self.line_at):
            self.say(self.line())
            self.shown, self.line_at = self.count, time.perf_counter()

    def is_due(self, seconds: float) -> bool:
        """Whether a line should follow the last one of so many seconds ago."""
        tenth = self.total and LINES * self.count // self.total > LINES * self.shown // self.total
        return seconds >= (SHORTEST if tenth else LONGEST)

    def line(self) -> str:
        if not self.total or self.count >= self.total:  # of a file that does not know its length, or knows it badly
            return f"{self.name}: {self.count} frames"
        left = round((time.perf_counter() - self.began) / self.count * (self.total - self.count))
        return f"{self.name}: {self.count} of {self.total} frames, {left // 60}:{left % 60:02} min left"
