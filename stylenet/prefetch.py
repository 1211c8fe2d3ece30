"""Bounded work in threads, in order: the next items are read, and the last ones written, while the caller is busy."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat, takewhile
from typing import Any, TypeVar

from stylenet.host import usable_cores

WORKERS = min(16, usable_cores())
DEPTH = 8  # items that wait: of a clip, frames with the sound between them
ROOM = 100_000_000  # total cost of the items that wait: with pixels as the cost, about 300 MB

Item = TypeVar("Item")
Done = TypeVar("Done")


def free(item: Any) -> int:
    """A cost for items whose number alone matters."""
    return 0


def in_order(
    pool: Executor,
    function: Callable[[Item], Done],
    items: Iterable[Item],
    depth: int = WORKERS + 2,
    cost: Callable[[Item], int] = free,
    eager: bool = False,
) -> Iterator[Done]:
    """Yields `function(item)` for each item, computed by the pool, in the order of the items.

    While the caller works on one result, up to `depth` more are computed, and fewer once their `cost` exceeds `ROOM`
    (one is always allowed). A result is yielded when the limit is reached, or, if `eager`, as soon as it is done.
    Exceptions of `function` are raised here.
    """
    waiting: deque[tuple[int, Future[Done]]] = deque()
    for item in items:
        waiting.append((cost(item), pool.submit(function, item)))
        while _full(waiting, depth) or (eager and waiting and waiting[0][1].done()):
            yield waiting.popleft()[1].result()
    while waiting:
        yield waiting.popleft()[1].result()


def _full(waiting: "deque[tuple[int, Future[Done]]]", depth: int) -> bool:
    return len(waiting) > depth or (len(waiting) > 1 and sum(cost for cost, _ in waiting) > ROOM)


@contextmanager
def ahead(items: Iterable[Item], depth: int = DEPTH) -> Iterator[Iterator[Item]]:
    """Reads the items in a thread of its own, up to `depth` before they are asked for; stops reading with the block."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "reading") as thread:
        try:
            read = in_order(thread, lambda iterator: next(iterator, end), repeat(iterator), depth)
            yield takewhile(lambda item: item is not end, read)  # type: ignore[arg-type]
        finally:
            thread.shutdown(cancel_futures=True)


@contextmanager
def behind(sink: Callable[[Item], object], depth: int = DEPTH) -> Iterator[Callable[[Item], None]]:
    """Passes items to `sink` in a thread of its own, in order; at the end of the block all of them have been taken.

    After an item that `sink` raises for, it gets no other: what it has taken is a whole beginning.
    """
    waiting: deque[Future[object]] = deque()
    failed = False

    def take(item: Item) -> None:
        nonlocal failed
        if failed:
            return
        try:
            sink(item)
        except BaseException:
            failed = True
            raise

    with ThreadPoolExecutor(1, "writing") as thread:

        def put(item: Item) -> None:
            waiting.append(thread.submit(take, item))
            if len(waiting) > depth:
                waiting.popleft().result()

        yield put
        for future in waiting:
            future.result()


class Stopwatch:
    """Measures how much of the time since its start was spent in `running` blocks, and counts them."""

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
