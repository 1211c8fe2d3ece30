"""Progress of `infer`: a line for each image, a bar on a terminal, a summary at the end."""

import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from stylenet.cli.command import complain, discard_output, program
from stylenet.disk import DISK_ERRORS, printable
from stylenet.pipeline.images import Result

if TYPE_CHECKING:
    from tqdm import tqdm


class Report:
    """Prints results as they come, on standard error if the image itself goes to standard output.

    `skipped` images are counted beside those that are stylized. Leaving the `with` block prints the summary, if there
    is more than one image. Where standard output cannot be written, one line says so, and the images go on.
    """

    def __init__(self, pictures: int, skipped: int, to_stream: bool) -> None:
        self.pictures, self.skipped = pictures, skipped
        self.lines = sys.stderr if to_stream else sys.stdout
        self.done, self.failed, self.network = 0, 0, 0.0
        self.unsaid = False  # whether lines were lost
        self.start = time.perf_counter()
        self.bar = progress_bar(pictures)
        self.rows = RowsBar()

    def __enter__(self) -> "Report":
        return self

    def tell(self, result: Result) -> None:
        """Prints one line: the result, or why there is none."""
        self.rows.close()
        self.network += result.network
        self.done += not result.failure
        self.failed += bool(result.failure)
        self.print(line_of(result), failed=bool(result.failure))
        if self.bar is not None:
            self.bar.update()

    def __exit__(self, *_: object) -> None:
        self.rows.close()
        if self.bar is not None:
            self.bar.close()
        if self.pictures + self.skipped > 1:
            self.print(self.summary())

    def print(self, line: str, failed: bool = False) -> None:
        stream = sys.stderr if failed else self.lines
        try:
            with nullcontext() if self.bar is None else self.bar.external_write_mode(stream):
                print(line, file=stream, flush=True)
        except OSError as error:
            if error.errno not in DISK_ERRORS or stream is not sys.stdout:
                raise
            discard_output()
            self.unsaid = True
            complain(f"standard output cannot be written: {error.strerror}")

    def summary(self) -> str:
        """Counts of results and failures, the speed, and the share of the time in which the network was running."""
        seconds = time.perf_counter() - self.start
        left = self.pictures - self.done - self.failed
        others = {"failed": self.failed, "skipped": self.skipped, "left (--skip-existing resumes)": left}
        done = "1 image" if self.done == 1 else f"{self.done} images"
        counts = [done, *(f"{count} {what}" for what, count in others.items() if count)]
        speed = f"{self.done / seconds:.3g} images/s, network busy {100 * self.network / seconds:.0f} % of the time"
        return f"{', '.join(counts)}; {speed}"


class RowsBar:
    """The rows of one image that is large enough to go in strips: a bar on a terminal, until they are done."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None

    def show(self, done: int, of: int) -> None:
        if self.bar is None and done < of and sys.stderr.isatty():
            from tqdm import tqdm

            # The first rows were done before the bar began, and are no measure of the speed. The time left is
            # estimated from the mean, as one pass through the image is much faster than another.
            self.bar = tqdm(total=of, initial=done, unit=" rows", dynamic_ncols=True, leave=False, smoothing=0)
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        if done == of:
            self.close()

    def close(self) -> None:
        """Ends the bar, also of an image that failed."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None


def line_of(result: Result) -> str:
    """A result in a line."""
    source, target = printable(result.job.source), printable(result.job.target)
    if result.failure:
        return f"{program()}: {'' if result.failure.startswith(f'{source}: ') else f'{source}: '}{result.failure}"
    times = f"network {1000 * result.network:.0f} ms, whole {1000 * result.seconds:.0f} ms"
    parts = [f"{source} -> {target}  {result.width} x {result.height}, {times}", *result.notes]
    return ", ".join(parts)


def progress_bar(pictures: int) -> "tqdm[Any] | None":
    """A bar with the time that is left, for several images on a terminal."""
    if pictures < 2 or not sys.stderr.isatty():
        return None
    from tqdm import tqdm  # not needed otherwise

    return tqdm(total=pictures, unit=" images", dynamic_ncols=True, leave=False)
