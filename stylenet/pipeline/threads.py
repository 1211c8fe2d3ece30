"""Work in threads while the caller is busy: ahead of it and behind it, in order, and never much of it at once."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Protocol, TypeVar, runtime_checkable

WORKERS = min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
ROOM = 100_000_000  # pixels that may wait, about 300 MB; two pictures may always, however large


@runtime_checkable
class Piece(Protocol):
    """A piece of work, which takes the memory of so many pixels."""

    @property
    def pixels(self) -> int: ...


Work = TypeVar("Work", bound=Piece)
Item = TypeVar("Item")
Done = TypeVar("Done")


def in_order(
    pool: Executor, function: Callable[[Work], Done], pieces: Iterable[Work], eager: bool = False
) -> Iterator[Done]:
    """`function` of each piece, by the pool's threads, in the order of the pieces.

    While the caller is busy with one result, the next are worked on: as many as there are threads and two more, or
    fewer if that takes too much memory. Results are handed out when so many are under way, `eager` ones once done.
    """
    waiting: deque[tuple[int, Future[Done]]] = deque()
    for piece in pieces:
        waiting.append((piece.pixels, pool.submit(function, piece)))
        while _crowded([pixels for pixels, _ in waiting]) or (eager and waiting and waiting[0][1].done()):
            yield waiting.popleft()[1].result()
    while waiting:
        yield waiting.popleft()[1].result()


def _crowded(pixels: list[int]) -> bool:
    return len(pixels) > WORKERS + 2 or (len(pixels) > 2 and sum(pixels) > ROOM)


def one_ahead(pool: Executor, items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made by the pool while the caller is busy with the one before."""
    coming = pool.submit(_next, items)
    while found := coming.result():
        coming = pool.submit(_next, items)
        yield found[0]


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    """The next of the items, if there is one."""
    return next(((item,) for item in items), None)
