"""Lanes: threads of the front process, one for each image that a worker can process at once."""

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from stylenet.serve.process import Call, NotBegun, TooLate, Worker, WorkerDied
from stylenet.serve.work import BEGUN, PING, Reply, Work

log = logging.getLogger(__name__)

IDLE = 1.0  # seconds after which an idle worker is pinged
PATIENCE = 10.0  # seconds for its answer, and for a late image beside others in one process


@dataclass(eq=False)
class Task:
    """Work in the queue, with the future of its result."""

    work: Work
    result: "Future[Reply]" = field(default_factory=Future)


@runtime_checkable
class TaskQueue(Protocol):
    """Where a lane takes its tasks from, until it is `closing`."""

    closing: bool

    def take(self, jobs_too: bool) -> Task | None:
        """The next task; None after a second without one."""
        ...


class Lane(threading.Thread):
    """Takes tasks from the pool's queues to one worker, one at a time."""

    def __init__(self, pool: TaskQueue, worker: Worker, number: int, takes_jobs: bool) -> None:
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
            task.result.set_result(self.reply_with_restart(task))
        except TooLate as outcome:
            try:
                self.finish_late_work()
            finally:
                task.result.set_exception(outcome)
        except BaseException as error:
            task.result.set_exception(error)
            raise
        finally:
            self.busy = False

    def finish_late_work(self) -> None:
        """Waits for the end of late work, or ends the worker: nothing writes into a job's folder after its outcome.

        Raises `TooLate` or `WorkerDied` if the process has to be replaced.
        """
        if self.call is None:  # it was late before it was sent
            return
        try:
            if self.worker.device.lanes == 1:
                raise TooLate
            self.wait_for_reply(self.call, time.monotonic() + PATIENCE)  # the process has other images at work
        except (TooLate, WorkerDied):
            self.worker.retire(self.generation)
            raise

    def reply_with_restart(self, task: Task) -> Reply:
        """The worker's answer; a worker that had ended before is replaced first."""
        try:
            return self.reply_to(task)
        except NotBegun:
            self.ready = False
            self.connect()
            return self.reply_to(task)

    def reply_to(self, task: Task) -> Reply:
        """The worker's answer; while it is at work within its time it counts as seen."""
        deadline = min(task.work.deadline, time.monotonic() + task.work.seconds)
        if time.monotonic() >= deadline:
            raise TooLate
        self.begun = False
        try:
            self.call = self.worker.send(self.generation, self.number, replace(task.work, deadline=deadline))
            return self.wait_for_reply(self.call, deadline)
        except WorkerDied as error:
            raise error if self.begun else NotBegun from error

    def wait_for_reply(self, call: Call, deadline: float) -> Reply:
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
