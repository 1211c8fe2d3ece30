"""One worker process, and the pipes to it."""

import multiprocessing
import threading
from collections.abc import Mapping
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


class Worker:
    """One process, with a pipe for each image that it can process at once."""

    def __init__(self, files: Mapping[str, StyleReference], device: Device) -> None:
        self.files, self.device = files, device
        self.lock = threading.Lock()
        self.generation = 0
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
        self.connections, self.process = [ours for ours, _ in pairs], process
        self.generation += 1
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

    def stop(self) -> None:
        """Ends the process, whatever it is at work on."""
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def close(self) -> None:
        """Ends the process for good."""
        self.closed = True
        self.stop()

    def send(self, generation: int, lane: int, message: Work | None) -> Connection:
        """Sends a message; returns the connection that the answer will come through. Raises `WorkerDied`."""
        try:
            if generation != self.generation:
                raise WorkerDied
            connection = self.connections[lane]
            connection.send(message)
            return connection
        except OSError as error:
            raise WorkerDied from error

    def ask(self, generation: int, lane: int, message: Work | None, seconds: float) -> Any:
        """The answer to a message. Raises `TooLate` or `WorkerDied`."""
        return answer(self.send(generation, lane, message), seconds)


def answer(connection: Connection, seconds: float) -> Any:
    """The next message of a pipe, waited for at most `seconds`. Raises `TooLate` or `WorkerDied`."""
    try:
        if not connection.poll(max(seconds, 0)):
            raise TooLate
        return connection.recv()
    except (OSError, EOFError) as error:
        raise WorkerDied from error


def _context() -> Any:
    """A way to start processes: forked from one that has imported torch, where there is forking."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stylenet.serve.worker"])
    return context
