"""Worker processes, and the queue in front of them.

Each image that a worker can process at once has a thread in the front process, a *lane*: it takes work from the queue,
sends it through a pipe and waits for the answer until the deadline. A worker that dies or is late is replaced; only the
work that it had begun is lost.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future

from stylenet.host import usable_cores
from stylenet.models.catalog import StyleReference
from stylenet.serve.lane import IDLE, Lane, Task
from stylenet.serve.process import Worker
from stylenet.serve.work import Reply, Work
from stylenet.serve.worker import Device

log = logging.getLogger(__name__)

ENDING = 2.0  # seconds for all threads of the queue to notice the end


class PoolClosed(Exception):  # noqa: N818
    """The service is ending."""


class Pool:
    """The workers of a service and its two queues: requests, and jobs, which only some lanes take.

    At least one lane is left to requests where there are two or more workers.
    """

    def __init__(self, files: Mapping[str, StyleReference], devices: list[Device]) -> None:
        self.workers = [Worker(files, device) for device in devices]
        self.requests: deque[Task] = deque()
        self.jobs: deque[Task] = deque()
        self.changed = threading.Condition()
        self.closing = False
        self.lanes = [
            Lane(self, worker, number, takes_jobs=number == 0 and (place > 0 or len(devices) == 1))
            for place, worker in enumerate(self.workers)
            for number in range(worker.device.lanes)
        ]

    def start(self) -> None:
        """Starts the workers, in the background; `ready` once one of them is."""
        for lane in self.lanes:
            lane.start()

    def submit(self, work: Work, job: bool = False) -> "Future[Reply]":
        """Puts work into a queue. The future raises `TooLate`, `WorkerDied` or `PoolClosed`; it can be cancelled."""
        task = Task(work)
        with self.changed:
            if self.closing:
                raise PoolClosed
            (self.jobs if job else self.requests).append(task)
            self.changed.notify_all()
        task.result.add_done_callback(self.forget)
        return task.result

    def forget(self, result: "Future[Reply]") -> None:
        """Takes work that was canceled out of its queue, and so out of memory."""
        if not result.cancelled():
            return
        with self.changed:
            for queue in (self.requests, self.jobs):
                for task in [task for task in queue if task.result is result]:
                    queue.remove(task)

    def take(self, jobs_too: bool) -> Task | None:
        """The next task; None after a second without one."""
        with self.changed:
            if not self.closing and not self.requests and not (jobs_too and self.jobs):
                self.changed.wait(IDLE)
            if self.requests:
                return self.requests.popleft()
            if jobs_too and self.jobs:
                return self.jobs.popleft()
            return None

    def close(self) -> None:
        """Ends the workers; what is still in a queue fails with `PoolClosed`."""
        with self.changed:
            self.closing = True
            left = [*self.requests, *self.jobs]
            self.requests.clear()
            self.jobs.clear()
            self.changed.notify_all()
        for task in left:
            if task.result.set_running_or_notify_cancel():
                task.result.set_exception(PoolClosed())
        for worker in self.workers:
            worker.close()
        end = time.monotonic() + ENDING
        for lane in self.lanes:
            lane.join(max(0.0, end - time.monotonic()))  # one may be starting its worker, a daemon

    @property
    def ready(self) -> bool:
        """Whether a worker has loaded its styles."""
        return not self.closing and any(lane.ready for lane in self.lanes)

    def silence(self) -> float:
        """Seconds since a worker last finished something or answered."""
        return time.monotonic() - max(lane.seen for lane in self.lanes)

    @property
    def restarts(self) -> int:
        """How many workers were replaced."""
        return sum(max(0, worker.generation - 1) for worker in self.workers)


def devices_for(device: str, workers: int | None) -> list[Device]:
    """The worker processes of a service: one per GPU, or on a CPU as many as asked for, one thread each.

    Raises `UserError` for a kind of device that is not there.
    """
    import torch

    from stylenet.device import pick_device

    pick_device(device)
    if device in ("auto", "cuda") and torch.cuda.is_available():
        return [Device("cuda", gpu) for gpu in range(torch.cuda.device_count())][:workers]
    if device in ("auto", "mps") and torch.backends.mps.is_available():
        return [Device("mps", 0)]
    return [Device("cpu", place) for place in range(workers or usable_cores())]
