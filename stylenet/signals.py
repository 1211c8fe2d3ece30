"""The signals that end a command: Ctrl-C, SIGTERM, and SIGHUP, which a closed terminal sends."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

received: list[int] = []  # during the command: a library may turn the exception into another, or swallow it
Handler = Callable[[int, FrameType | None], None]


def signals_to_handle() -> tuple[signal.Signals, ...]:
    """The signals to handle: SIGHUP where it is not ignored (nohup), and none outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return ()
    hangup = getattr(signal, "SIGHUP", None)  # which Windows lacks
    ignored = hangup is None or signal.getsignal(hangup) == signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *(() if ignored else (hangup,)))


@contextmanager
def handle_signals(handler: Handler) -> Iterator[None]:
    """Calls the handler for each ending signal while the block runs."""
    before = {number: signal.signal(number, handler) for number in signals_to_handle()}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def ending_signals() -> Iterator[None]:
    """Ends the block by an exception on an ending signal, so that partial files are removed; in the main thread."""
    try:
        with handle_signals(end):
            yield
    finally:
        received.clear()


def end(number: int, frame: FrameType | None) -> None:
    received.append(number)
    leave_terminal()
    raise SystemExit(128 + number)


def leave_terminal() -> None:
    """Lets what is still printed go nowhere if the terminal is closed, as writing to it would fail."""
    for stream in (1, 2):
        try:
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        except OSError:  # it is closed by itself
            continue
