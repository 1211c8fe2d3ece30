"""SIGINT and SIGTERM: they end a command by an exception, wherever it is."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

received: list[int] = []  # during the command: a library may turn the exception into another, or swallow it


@contextmanager
def ending_signals() -> Iterator[None]:
    """Ends the block by an exception on SIGINT and SIGTERM, so that partial files are removed; in the main thread."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {}
    with suppress(ValueError):  # signal handlers belong to the main thread
        before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        received.clear()


def end(number: int, frame: FrameType | None) -> None:
    received.append(number)
    raise SystemExit(128 + number)
