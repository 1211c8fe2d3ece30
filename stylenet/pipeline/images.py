"""Files to stylized files: threads decode and encode while the network runs on the pictures in between.

A picture's way: its header is opened, a thread decodes it, the network stylizes it, a thread writes it.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from io import BufferedIOBase, BytesIO
from itertools import chain
from pathlib import Path

from PIL import Image

from stylenet.disk import shown, written_aside
from stylenet.errors import UserError
from stylenet.media.animation import JOIN, Show
from stylenet.media.formats import Format, encoded, own_format
from stylenet.media.picture import OWN_SIZE, Frame, Picture, Size
from stylenet.pipeline.plan import STANDARD_INPUT, STANDARD_OUTPUT, Job
from stylenet.pipeline.threads import WORKERS, in_order, one_ahead


@dataclass
class Result:
    """A job on its way, and in the end what became of it: `failure` says in one line why there is no result.

    `width` and `height` are the result's, `notes` what else happened to the picture, `pixels` what it takes of
    the memory meanwhile. `seconds` is all the work that was put into it, `network` the network's part of it.
    """

    job: Job
    width: int = 0
    height: int = 0
    notes: list[str] = field(default_factory=list)
    network: float = 0
    seconds: float = 0
    failure: str = ""
    pixels: int = 0
    # Only while it's on its way, and there is no failure:
    picture: Picture = field(init=False, repr=False)
    form: Format = field(init=False, repr=False)
    frame: Frame = field(init=False, repr=False)


def step(work: Callable[["Batch", Result], None]) -> Callable[["Batch", Result], Result]:
    """One step of a picture's way: timed, and not taken after a failure. A user's mistake is a failure."""

    @wraps(work)
    def taken(batch: "Batch", result: Result) -> Result:
        start = time.perf_counter()
        try:
            if not result.failure:
                work(batch, result)
        except UserError as error:
            result.failure = str(error)
        except BrokenPipeError:  # standard output's reader has gone: there is nothing left to do
            raise
        except OSError as error:
            result.failure = f"can't write {shown(result.job.target)}: {error.strerror}"
        result.seconds += time.perf_counter() - start
        return result

    return taken


class Batch:
    """One way to stylize, for many files. Leaving the `with` block ends the work: what is being written gets finished.

    `stylize` makes an RGB picture of an RGB picture of the same size.
    """

    def __init__(
        self, stylize: Callable[[Image.Image], Image.Image], size: Size = OWN_SIZE, quality: int | None = None
    ) -> None:
        self.stylize, self.size, self.quality = stylize, size, quality
        self.pool = ThreadPoolExecutor(WORKERS)

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def run(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """The results in the order of the jobs, failures among them, each as soon as it's written."""
        opened = (self._open(Result(job)) for job in jobs)
        decoded = in_order(self.pool, self._decode, opened)
        stylized = map(self._stylize, decoded)
        return in_order(self.pool, self._write, stylized, eager=True)

    def stylized(self, frame: Frame) -> Frame:
        """A frame in the style: every frame of every file comes through here, once."""
        return replace(frame, colors=self.stylize(frame.colors))

    @step
    def _open(self, result: Result) -> None:
        source = result.job.source
        picture = Picture.open(sys.stdin.buffer.read() if source is STANDARD_INPUT else source, self.size)
        form = result.job.form or own_format(picture.format)
        if picture.count > 1 and not (picture.animated and form.frames):
            result.notes.append(f"first of {picture.count} {'frames' if picture.animated else 'pages'}")
            picture = replace(picture, animated=False)
        result.notes += [f"was {conversion}" for conversion in picture.converted]
        result.picture, result.pixels, result.form = picture, picture.pixels, form.at_quality(self.quality)

    @step
    def _decode(self, result: Result) -> None:
        if not result.picture.animated:
            result.frame = next(result.picture.frames())

    @step
    def _stylize(self, result: Result) -> None:
        if result.picture.animated:
            self._animate(result)
        else:
            result.frame = self._in_time(result, result.frame)

    def _in_time(self, result: Result, frame: Frame) -> Frame:
        frame = frame if result.form.alpha else frame.on_white()
        start = time.perf_counter()
        stylized = self.stylized(frame)
        result.network += time.perf_counter() - start
        result.width, result.height = stylized.colors.size
        return stylized

    def _animate(self, result: Result) -> None:
        """Frame by frame: while the network runs, the next frame is decoded and those before are encoded."""
        frames = map(partial(self._in_time, result), one_ahead(self.pool, result.picture.frames()))
        first = next(frames)  # tells the size
        stills = in_order(self.pool, partial(_still, result.form), chain([first], frames))
        show = Show(result.width, result.height, result.picture.count, result.picture.plays)
        with _opened_target(result.job.target) as file:
            JOIN[result.form.name](file, stills, show)
        result.notes.append(f"{show.count} frames")

    @step
    def _write(self, result: Result) -> None:
        if not result.picture.animated:
            data = encoded(result.frame.with_alpha(), result.form, result.frame.kept)
            with _opened_target(result.job.target) as file:
                file.write(data)
            del result.frame
        del result.picture


def _still(form: Format, frame: Frame) -> tuple[bytes, float]:
    """An animation's frame as a file of its own, and its milliseconds."""
    image = frame.with_alpha()
    image = image.convert("RGBA") if form.name == "PNG" else image  # whose frames must all be of one kind
    return encoded(image, form, frame.kept), frame.milliseconds


@contextmanager
def _opened_target(target: Path) -> Iterator[BufferedIOBase]:
    """A file to write, which is there when the block has ended well."""
    if target is not STANDARD_OUTPUT:
        with written_aside(target) as aside, aside.open("wb") as file:
            yield file
    else:
        buffer = BytesIO()
        yield buffer
        sys.stdout.buffer.write(buffer.getbuffer())
        sys.stdout.buffer.flush()
