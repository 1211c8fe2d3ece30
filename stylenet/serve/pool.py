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
from dataclasses import dataclass, field, replace

from stylenet.host import usable_cores
from stylenet.models.catalog import StyleReference
from stylenet.serve.process import Call, NotBegun, TooLate, Worker, WorkerDied
from stylenet.serve.work import BEGUN, PING, Reply, Work
from stylenet.serve.worker import Device

log = logging.getLogger(__name__)

IDLE = 1.0  # seconds after which an idle worker is pinged
PATIENCE = 10.0  # seconds for its answer, and for a late image beside others in one process
ENDING = 2.0  # seconds for all threads of the queue to notice the end


class PoolClosed(Exception):  # noqa: N818
    """The service is ending."""


@dataclass(eq=False)
class Task:
    """Work in the queue, with the future of its result."""

    work: Work
    result: "Future[Reply]" = field(default_factory=Future)


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


class Lane(threading.Thread):
    """Takes tasks from the pool's queues to one worker, one at a time."""

    def __init__(self, pool: Pool, worker: Worker, number: int, takes_jobs: bool) -> None:
        super().__init__(name=f"lane {number}", daemon=True)
        self.pool, self.worker, self.number, self.takes_jobs = pool, worker, number, takes_jobs
        self.generation = 0  # of the worker's process that this lane talks to
        self.ready = self.busy = self.begun = False
        self.call: Call | None = None  # of the task, once it was sent
        self.losses = 0  # in a row
        self.seen = time.monotonic()  # when the worker last answered, or was at work within its time

    def run(self) -> None:
        while not self.pool.closing:
            try:
                self.connect()
                task = self.pool.take(self.takes_jobs)
                if task is None:
                    self.worker.ask(self.generation, self.number, PING, PATIENCE)
                else:
                    self.connect()  # the worker may have died while idle
                    self.do(task)
                self.seen, self.losses = time.monotonic(), 0
            except (TooLate, WorkerDied):
                self.lose()
            except Exception:  # whatever it was, the next task needs this thread
                log.exception("in the queue")
                self.lose()

    def connect(self) -> None:
        """Makes sure that the worker runs. Raises `WorkerDied` or `TooLate`."""
        if self.ready and self.worker.alive and self.generation == self.worker.generation:
            return
        self.ready = False
        try:
            replaced = self.worker.restart(self.generation)
        finally:
            self.generation = self.worker.generation
        if not replaced:  # another lane did so, perhaps in vain
            self.worker.ask(self.generation, self.number, PING, PATIENCE)
        self.ready, self.seen = True, time.monotonic()

    def lose(self) -> None:
        """Notes that the worker died or hangs: `connect` starts another, after a pause if it happens again."""
        self.ready = False
        self.losses += 1
        if self.losses > 1 and not self.pool.closing:
            log.error("a worker does not answer; starting another")
            time.sleep(IDLE)

    def do(self, task: Task) -> None:
        """Does a task by the worker. Raises `WorkerDied`, or `TooLate` if its process has to be replaced."""
        if not task.result.set_running_or_notify_cancel():
            return
        self.busy, self.call = True, None
        try:
            task.result.set_result(self.safely(task))
        except TooLate as outcome:
            try:
                self.settle()
            finally:
                task.result.set_exception(outcome)
        except BaseException as error:
            task.result.set_exception(error)
            raise
        finally:
            self.busy = False

    def settle(self) -> None:
        """Waits for the end of late work, or ends the worker: nothing writes into a job's folder after its outcome.

        Raises `TooLate` or `WorkerDied` if the process has to be replaced.
        """
        if self.call is None:  # it was late before it was sent
            return
        try:
            if self.worker.device.lanes == 1:
                raise TooLate
            self.awaited(self.call, time.monotonic() + PATIENCE)  # the process has other images at work
        except (TooLate, WorkerDied):
            self.worker.retire(self.generation)
            raise

    def safely(self, task: Task) -> Reply:
        """The worker's answer; a worker that had ended before is replaced first."""
        try:
            return self.watched(task)
        except NotBegun:
            self.ready = False
            self.connect()
            return self.watched(task)

    def watched(self, task: Task) -> Reply:
        """The worker's answer; while it is at work within its time it counts as seen."""
        deadline = min(task.work.deadline, time.monotonic() + task.work.seconds)
        if time.monotonic() >= deadline:
            raise TooLate
        self.begun = False
        try:
            self.call = self.worker.send(self.generation, self.number, replace(task.work, deadline=deadline))
            return self.awaited(self.call, deadline)
        except WorkerDied as error:
            raise error if self.begun else NotBegun from error

    def awaited(self, call: Call, deadline: float) -> Reply:
        """The reply, after the message that the work has begun."""
        while True:
            try:
                message = call.answer(min(deadline - time.monotonic(), IDLE))
                if message != BEGUN:
                    reply: Reply = message
                    return reply
                self.begun = True
            except TooLate:
                if time.monotonic() >= deadline:
                    raise
            self.seen = time.monotonic()


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
