"""Image files to stylized files: threads decode and encode while the network runs on the images in between.

An image's steps: its header is read, a thread decodes it, the network stylizes it, a thread encodes and writes it.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from io import BufferedIOBase, BytesIO
from operator import attrgetter
from pathlib import Path

from stylenet.device import memory_errors
from stylenet.disk import atomic_write, check_place, printable
from stylenet.errors import UserError
from stylenet.inference.styler import Styler
from stylenet.media.picture import OWN_SIZE, Size
from stylenet.pipeline.job import STANDARD_INPUT, STANDARD_OUTPUT, Job
from stylenet.pipeline.restyle import Restyling
from stylenet.prefetch import WORKERS, in_order


@dataclass
class Result:
    """A job in progress, and in the end its outcome: `failure` says in one line why there is no result.

    `width` and `height` are the result's, `notes` what was converted or left out. `seconds` is all the work that was
    put into it, `network` the network's part of it.
    """

    job: Job
    width: int = 0
    height: int = 0
    notes: list[str] = field(default_factory=list)
    network: float = 0
    seconds: float = 0
    failure: str = ""
    work: Restyling | None = field(default=None, repr=False)  # only while it is in progress, and has not failed

    @property
    def pixels(self) -> int:
        """Number of pixels that it keeps in memory."""
        return self.work.pixels if self.work is not None else 0


Step = Callable[["Batch", Result, Restyling], None]


def step(work: Step) -> Callable[["Batch", Result], Result]:
    """Wraps one step of an image: timed, and skipped after a failure. A `UserError` is a failure."""

    @wraps(work)
    def taken(batch: "Batch", result: Result) -> Result:
        with _failures(result):
            if result.work is not None:
                work(batch, result, result.work)
        return result

    return taken


@contextmanager
def _failures(result: Result) -> Iterator[None]:
    start = time.perf_counter()
    try:
        with memory_errors("not enough memory for this image"):
            yield
    except UserError as error:
        result.failure, result.work = str(error), None
    except BrokenPipeError:  # the reader of standard output has gone: nothing is left to do
        raise
    except OSError as error:
        result.failure, result.work = f"cannot write {printable(result.job.target)}: {error.strerror}", None
    finally:
        result.seconds += time.perf_counter() - start


class Batch:
    """Stylizes many files in one way. Leaving the `with` block ends the work: files being written are finished."""

    def __init__(self, styler: Styler, size: Size = OWN_SIZE, quality: int | None = None) -> None:
        self.stylize, self.size, self.quality = styler.stylize, size, quality
        self.pool = ThreadPoolExecutor(WORKERS)

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def run(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Yields the results in the order of the jobs, failures among them, each as soon as it is written."""
        opened = (self._open(Result(job)) for job in jobs)
        pixels: Callable[[Result], int] = attrgetter("pixels")
        decoded = in_order(self.pool, self._decode, opened, cost=pixels)
        stylized = map(self._stylize, decoded)
        return in_order(self.pool, self._write, stylized, cost=pixels, eager=True)

    def _open(self, result: Result) -> Result:
        source = result.job.source
        with _failures(result):
            data = sys.stdin.buffer.read() if source is STANDARD_INPUT else source
            result.work = Restyling(data, self.size, result.job.format, self.quality)
            if result.job.target is not STANDARD_OUTPUT:
                check_place(result.job.target)
        return result

    @step
    def _decode(self, result: Result, work: Restyling) -> None:
        work.decode()

    @step
    def _stylize(self, result: Result, work: Restyling) -> None:
        if work.animated:
            with _opened_target(result.job.target) as file:
                work.animate(self.stylize, file, self.pool)
        else:
            work.stylize(self.stylize)

    @step
    def _write(self, result: Result, work: Restyling) -> None:
        if not work.animated:
            data = work.encode()
            with _opened_target(result.job.target) as file:
                file.write(data)
        result.width, result.height, result.notes = work.width, work.height, work.notes
        result.network, result.work = work.network_seconds, None


@contextmanager
def _opened_target(target: Path) -> Iterator[BufferedIOBase]:
    """A file to write, which is there when the block has ended well."""
    if target is not STANDARD_OUTPUT:
        with atomic_write(target) as temporary, temporary.open("wb") as file:
            yield file
    else:
        buffer = BytesIO()
        yield buffer
        sys.stdout.buffer.write(buffer.getbuffer())
        sys.stdout.buffer.flush()
