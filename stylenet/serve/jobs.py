"""Jobs: large images and clips, stylized in the background. Results are kept on disk for a while."""

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from stylenet.serve.pool import Pool, PoolClosed
from stylenet.serve.process import TooLate, WorkerDied
from stylenet.serve.results_folder import ResultsFolder
from stylenet.serve.settings import ServiceSettings
from stylenet.serve.work import Done, Failed, Refused, Reply, Work

log = logging.getLogger(__name__)

State = Literal["queued", "running", "done", "failed"]
SWEEP = 10.0  # seconds between two searches for expired results


class NoRoomError(Exception):
    """The limit of waiting jobs is reached, or the disk space for them is used up."""


class TooLargeError(Exception):
    """An upload has more bytes than allowed."""


@dataclass
class Job:
    """One job; its `style` is known once the options are read, its `reply` once it is done or has failed."""

    id: str
    folder: Path
    style: str = ""
    created: float = field(default_factory=time.time)
    finished: float | None = None
    reply: Reply | None = None
    bytes: int = 0  # on the disk
    reserved: int = 0  # there, for an upload
    future: "Future[Reply] | None" = None

    @property
    def state(self) -> State:
        """`queued`, `running`, `done` or `failed`."""
        if self.reply is None:
            return "running" if self.future is not None and self.future.running() else "queued"
        return "failed" if self.done is None else "done"

    @property
    def done(self) -> Done | None:
        """The reply of a job that is done."""
        return self.reply if isinstance(self.reply, Done) else None

    @property
    def error(self) -> str | None:
        """Why the job failed."""
        return None if self.reply is None or isinstance(self.reply, Done) else self.reply.message

    @property
    def status(self) -> int:
        """The HTTP status that its result answers with."""
        if self.reply is None:
            return HTTPStatus.CONFLICT
        return HTTPStatus.OK if isinstance(self.reply, Done) else self.reply.status

    @property
    def upload(self) -> Path:
        return self.folder / "upload"

    @property
    def result(self) -> Path:
        return (self.folder / "result").with_suffix(self.done.suffix if self.done else "")


class Jobs:
    """The jobs of a service, and their folder. `on_done` is called with the style of each one that is done."""

    def __init__(
        self, settings: ServiceSettings, pool: Pool, folder: ResultsFolder, on_done: Callable[[str, Done], None]
    ) -> None:
        self.settings, self.pool, self.folder, self.on_done = settings, pool, folder, on_done
        self.jobs: dict[str, Job] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def disk(self) -> int:
        """Disk space of all uploads and results, as far as they are there."""
        return sum(job.bytes for job in self.jobs.values())

    @property
    def reserved(self) -> int:
        """Disk space of the uploads of jobs that wait or run, with what has not arrived yet."""
        return sum(job.reserved for job in self.jobs.values() if job.finished is None)

    @property
    def active(self) -> int:
        """Jobs that wait or run."""
        return sum(job.finished is None for job in self.jobs.values())

    @property
    def full(self) -> bool:
        """Whether as many jobs wait or run as may."""
        return self.active >= self.settings.jobs

    def open(self, expected: int) -> Job:
        """A new job, with room for an upload of so many bytes; results make way as it arrives. Raises `NoRoomError`."""
        if self.full or self.reserved + expected > self.settings.results_bytes:
            raise NoRoomError
        id_ = secrets.token_urlsafe(16)
        job = Job(id_, self.folder.job(id_), reserved=expected)
        job.folder.mkdir(parents=True)
        self.jobs[job.id] = job
        return job

    def make_room(self, wanted: int, keep: Job | None = None) -> None:
        """Removes the oldest results until so many bytes are free. Raises `NoRoomError`."""
        self.sweep()
        finished = sorted((job.finished, job.id) for job in self.jobs.values() if job.finished and job is not keep)
        while self.disk + wanted > self.settings.results_bytes:
            if not finished:
                raise NoRoomError
            self.remove(finished.pop(0)[1])

    async def receive(self, job: Job, chunks: AsyncIterator[bytes]) -> None:
        """Stores the upload, in place of the oldest results. Raises `TooLargeError`."""
        with job.upload.open("wb") as file:
            async for chunk in chunks:
                if job.bytes + len(chunk) > self.settings.job.bytes:
                    raise TooLargeError
                self.make_room(len(chunk))
                job.bytes += len(chunk)
                await asyncio.to_thread(file.write, chunk)
        job.reserved = job.bytes

    def start(self, job: Job, work: Work) -> None:
        """Queues the job."""
        work = replace(work, data=job.upload, target=job.folder / "result")
        job.future = self.pool.submit(work, job=True)
        task = asyncio.create_task(self.follow(job, asyncio.wrap_future(job.future)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def follow(self, job: Job, future: "asyncio.Future[Reply]") -> None:
        """Waits for the worker and records the outcome."""
        reply: Reply
        try:
            reply = await future
        except TooLate:
            reply = Refused(HTTPStatus.GATEWAY_TIMEOUT, f"took more than {self.settings.job.seconds:g} seconds")
        except WorkerDied:
            reply = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the worker died")
        except (PoolClosed, CancelledError, asyncio.CancelledError):
            reply = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "was cancelled")
        self.finish(job, reply)

    def finish(self, job: Job, reply: Reply) -> None:
        """Records the outcome and deletes everything but a result."""
        job.finished, job.bytes, job.reply = time.time(), 0, reply
        if isinstance(reply, Done):
            self.on_done(job.style, reply)
            for file in job.folder.iterdir():
                if file != job.result:
                    file.unlink()
            job.bytes = job.result.stat().st_size
            self.keep(job)
            return
        shutil.rmtree(job.folder, ignore_errors=True)
        if isinstance(reply, Failed):
            log.error("a job failed: %s", reply.traceback)

    def keep(self, job: Job) -> None:
        """Deletes older results until this one fits into the disk space for results."""
        try:
            self.make_room(0, keep=job)
        except NoRoomError:
            shutil.rmtree(job.folder, ignore_errors=True)
            job.bytes, job.reply = 0, Refused(HTTPStatus.SERVICE_UNAVAILABLE, "no disk space for the result")

    def find(self, id_: str) -> Job | None:
        """The job of this id, if it is known and not expired."""
        self.sweep()
        return self.jobs.get(id_)

    def sweep(self) -> None:
        """Removes expired jobs."""
        end = time.time() - self.settings.results_seconds
        for job in list(self.jobs.values()):
            if job.finished is not None and job.finished < end:
                self.remove(job.id)

    def remove(self, id_: str) -> None:
        """Removes a job and its files; one that waits is canceled."""
        job = self.jobs.pop(id_)
        if job.future is not None:
            job.future.cancel()
        shutil.rmtree(job.folder, ignore_errors=True)

    async def sweep_forever(self) -> None:
        """Removes expired jobs every `SWEEP` seconds."""
        while True:
            await asyncio.sleep(SWEEP)
            self.sweep()
