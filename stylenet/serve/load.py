"""How many requests there are: per client and minute, and in progress."""

import time
from collections import OrderedDict
from collections.abc import Callable

from stylenet.serve.pool import Pool
from stylenet.serve.settings import ServiceSettings

CLIENTS = 10_000  # with a rate in memory


class Rates:
    """Limits requests per minute and client: a token bucket each, which holds a quarter of a minute's requests."""

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self.clock = per_minute, clock
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and the time of that count

    def wait(self, client: str) -> float:
        """Takes one request of a client; 0, or the seconds until it may send the next."""
        if self.per_minute is None:
            return 0.0
        now, burst = self.clock(), max(1.0, self.per_minute / 4)
        left, then = self.buckets.pop(client, (burst, now))
        left = min(burst, left + (now - then) * self.per_minute / 60)
        allowed = left >= 1
        self.buckets[client] = (left - 1 if allowed else left, now)
        if len(self.buckets) > CLIENTS:
            self.buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self.per_minute


class Load:
    """Counts the requests in progress, and averages how long one takes."""

    def __init__(self, settings: ServiceSettings, pool: Pool) -> None:
        self.lanes, self.queue = len(pool.lanes), settings.queue
        self.inside = 0
        self.seconds = 0.1  # at work, as a moving average

    @property
    def full(self) -> bool:
        """Whether the next request would have to wait behind a whole queue."""
        return self.inside >= self.lanes + self.queue

    @property
    def high(self) -> bool:
        """Whether the queue is half full, the request itself not counted."""
        return self.inside - 1 >= self.lanes + self.queue // 2

    def took(self, seconds: float) -> None:
        """Notes how long an image was worked on."""
        self.seconds += 0.1 * (seconds - self.seconds)

    @property
    def wait(self) -> float:
        """Estimated seconds until half of the requests in progress are done."""
        return self.inside / 2 * self.seconds / self.lanes
