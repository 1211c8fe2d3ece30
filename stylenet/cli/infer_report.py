"""Progress of `infer`: a line for each image, a bar on a terminal, a summary at the end."""

import sys
import time
from typing import TYPE_CHECKING, Any

from stylenet.cli.command import program
from stylenet.disk import printable
from stylenet.pipeline.images import Result

if TYPE_CHECKING:
    from tqdm import tqdm


class Report:
    """Prints results as they come, on standard error if the image itself goes to standard output.

    `skipped` images are counted beside those that are stylized. Leaving the `with` block prints the summary, if there
    is more than one image.
    """

    def __init__(self, pictures: int, skipped: int, to_stream: bool) -> None:
        self.pictures, self.skipped = pictures, skipped
        self.lines = sys.stderr if to_stream else sys.stdout
        self.done, self.failed, self.network = 0, 0, 0.0
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
        stream = sys.stderr if result.failure else self.lines
        if self.bar is None:
            print(line_of(result), file=stream, flush=True)
        else:
            self.bar.write(line_of(result), file=stream)
            self.bar.update()

    def __exit__(self, *_: object) -> None:
        self.rows.close()
        if self.bar is not None:
            self.bar.close()
        if self.pictures + self.skipped > 1:
            print(self.summary(), file=self.lines, flush=True)

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
        return f"{program()}: {'' if source in result.failure else f'{source}: '}{result.failure}"
    times = f"network {1000 * result.network:.0f} ms, whole {1000 * result.seconds:.0f} ms"
    parts = [f"{source} -> {target}  {result.width} x {result.height}, {times}", *result.notes]
    return ", ".join(parts)


def progress_bar(pictures: int) -> "tqdm[Any] | None":
    """A bar with the time that is left, for several images on a terminal."""
    if pictures < 2 or not sys.stderr.isatty():
        return None
    from tqdm import tqdm  # not needed otherwise

    return tqdm(total=pictures, unit=" images", dynamic_ncols=True, leave=False)
