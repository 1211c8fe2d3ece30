"""Reading, the network and writing at once: a thread on either side, a few items ahead and behind."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

DEPTH = 8  # items that wait on either side: of a clip, frames with the sound between them


@contextmanager
def ahead(items: Iterable[T], depth: int = DEPTH) -> Iterator[Iterator[T]]:
    """The same items, taken in a thread of their own before they are asked for; its errors are raised here.

    When the block ends, nothing more is taken.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "reading") as thread:
        waiting = deque(thread.submit(next, iterator, end) for _ in range(depth))

        def taken() -> Iterator[T]:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, iterator, end))
                yield item  # type: ignore[misc]  # what is not the end is an item

        try:
            yield taken()
        finally:
            thread.shutdown(cancel_futures=True)


@contextmanager
def behind(sink: Callable[[T], None], depth: int = DEPTH) -> Iterator[Callable[[T], None]]:
    """Gives items to `sink` in a thread of its own, in order. When the block ends, all that was put is through."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1, "writing") as thread:

        def put(item: T) -> None:
            waiting.append(thread.submit(sink, item))
            if len(waiting) > depth:
                waiting.popleft().result()

        yield put
        for future in waiting:
            future.result()


class Stopwatch:
    """How long some work took of the time since the watch was made."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.busy = 0.0
        self.count = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        before = time.perf_counter()
        yield
        self.busy += time.perf_counter() - before
        self.count += 1

    def __str__(self) -> str:
        whole = time.perf_counter() - self.start
        rate, share = self.count / whole, self.busy / whole
        return f"{self.count} frames in {whole:.1f} s, {rate:.3g} frames/s, network busy {100 * share:.0f} %"
