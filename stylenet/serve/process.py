"""One worker process, and the pipes to it."""

import multiprocessing
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from stylenet.models.catalog import StyleReference
from stylenet.serve.work import PING, Work
from stylenet.serve.worker import Device, run_worker

START = 300.0  # seconds for a new worker to import torch and load its styles


class TooLate(Exception):  # noqa: N818  # an outcome, as the two below
    """The deadline passed before there was a result."""


class WorkerDied(Exception):  # noqa: N818
    """The process that was at work ended: killed from outside, out of memory, or crashed in a decoder."""


class NotBegun(WorkerDied):
    """The process ended before it began the work."""


@dataclass(frozen=True)
class Call:
    """A message that was sent to a worker. Its answers have its number, as those of an earlier one may still come."""

    connection: Connection
    number: int

    def answer(self, seconds: float) -> Any:
        """The next answer, waited for at most `seconds`. Raises `TooLate` or `WorkerDied`."""
        end = time.monotonic() + seconds
        try:
            while self.connection.poll(max(0.0, end - time.monotonic())):
                number, message = self.connection.recv()
                if number == self.number:
                    return message
        except (OSError, EOFError) as error:
            raise WorkerDied from error
        raise TooLate


class Worker:
    """One process, with a pipe for each image that it can process at once."""

    def __init__(self, files: Mapping[str, StyleReference], device: Device) -> None:
        self.files, self.device = files, device
        self.lock = threading.Lock()
        self.generation = 0
        self.numbers = count()  # of messages
        self.connections: list[Connection] = []
        self.process: BaseProcess | None = None
        self.closed = False

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.is_alive()

    def start(self) -> None:
        """Starts the process and waits until its styles are loaded. Raises `WorkerDied`."""
        context = _context()
        pairs = [context.Pipe() for _ in range(self.device.lanes)]
        process = context.Process(
            target=run_worker, args=([theirs for _, theirs in pairs], dict(self.files), self.device), daemon=True
        )
        process.start()
        for _, theirs in pairs:
            theirs.close()  # so that the end of the process is the end of the pipe
        self.generation += 1  # first, so that no lane sends to a process that it does not know of
        self.connections, self.process = [ours for ours, _ in pairs], process
        if self.closed:
            self.stop()
        for lane in range(self.device.lanes):
            self.ask(self.generation, lane, PING, START)

    def restart(self, generation: int) -> bool:
        """Replaces the process of this generation; returns False if another has replaced it already."""
        with self.lock:
            if generation != self.generation:
                return False
            self.stop()
            self.start()
            return True

    def retire(self, generation: int) -> None:
        """Ends the process of this generation, unless another has replaced it."""
        with self.lock:
            if generation == self.generation:
                self.stop()

    def stop(self) -> None:
        """Ends the process, whatever it is at work on."""
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def close(self) -> None:
        """Ends the process for good."""
        self.closed = True
        self.stop()

    def send(self, generation: int, lane: int, message: Work | None) -> Call:
        """Sends a message. Raises `WorkerDied`."""
        try:
            if generation != self.generation:
                raise WorkerDied
            call = Call(self.connections[lane], next(self.numbers))
            call.connection.send((call.number, message))
            return call
        except OSError as error:
            raise WorkerDied from error

    def ask(self, generation: int, lane: int, message: Work | None, seconds: float) -> Any:
        """The answer to a message. Raises `TooLate` or `WorkerDied`."""
        return self.send(generation, lane, message).answer(seconds)


def _context() -> Any:
    """A way to start processes: forked from one that has imported torch, where there is forking."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stylenet.serve.worker"])
    return context
