"""What runs on the cluster: actors that hold a network, and one that counts attempts."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stylenet.cluster.places import Place
from stylenet.errors import UserError
from stylenet.inference.painter import BoundStyler
from stylenet.inference.settings import Brush
from stylenet.inference.styler import Styler
from stylenet.inference.stylizer import Stylizer
from stylenet.media.formats import WRITABLE
from stylenet.media.picture import OWN_SIZE, Size
from stylenet.models.catalog import StyleReference
from stylenet.pipeline.batching import Batching
from stylenet.pipeline.restyle import Restyled, restyle

TRIES = 3  # for an image whose actor ends while it is at work on it
GPU_THREADS = 8  # images that decode, wait and encode around one GPU


@dataclass(frozen=True)
class Assignment:
    """Settings shared by all actors. `style` is the style file's content, so that no disk but the images' is shared."""

    style: bytes
    name: str
    inner: str | None  # of a file of many styles, the chosen one
    source: Place
    target: Place
    device: str = "cpu"
    brush: Brush = Brush()
    size: Size = OWN_SIZE
    quality: int | None = None


class Attempts:
    """Counts how often work on an image began without coming to an end. Lives beside the driver, on no worker."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def suspects(self, names: Sequence[str]) -> list[str]:
        """Images whose earlier attempt did not finish."""
        return [name for name in names if self.begun[name]]

    def begin(self, name: str) -> int:
        """Notes that work begins; returns how often it has begun in vain before."""
        self.begun[name] += 1
        return self.begun[name] - 1

    def end(self, name: str) -> None:
        """Notes that work has come to an end, well or not."""
        del self.begun[name]


class RowStylizer:
    """An actor's work: rows with `name` and `result` in, rows of outcome out; images never pass through Ray."""

    def __init__(self, assignment: Assignment, attempts: Attempts) -> None:
        self.assignment, self.attempts = assignment, attempts
        self.styler = load_network(assignment)
        self.threads = ThreadPoolExecutor(GPU_THREADS if assignment.device == "cuda" else 1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """The outcomes of a batch of images, as columns."""
        results = dict(zip(map(os.fsdecode, batch["name"]), map(os.fsdecode, batch["result"]), strict=True))
        suspects = self.attempts.suspects(list(results))
        usual = [name for name in results if name not in suspects]
        rows = list(self.threads.map(self.row, usual, [results[name] for name in usual]))
        # One by one, as an actor that ends is the fault of one of those that it is at work on.
        rows += [self.row(name, results[name]) for name in suspects]
        return {key: [row[key] for row in rows] for key in rows[0]}

    def row(self, name: str, result: str) -> dict[str, Any]:
        """Stylizes one image; whatever goes wrong with it is its row's error, and no other's."""
        style, start = self.assignment.name, time.perf_counter()
        begun = self.attempts.begin(name)
        try:
            if begun >= TRIES:
                raise UserError(f"given up: ended its worker {TRIES} times")
            done = self.stylize(name, result)
            row = outcome(name, style, done.width, done.height, notes="; ".join(done.notes))
        except Exception as error:
            row = outcome(name, style, error=error_text(error))
        self.attempts.end(name)
        return {**row, "milliseconds": 1000 * (time.perf_counter() - start)}

    def stylize(self, name: str, result: str) -> Restyled:
        """Reads, stylizes and writes. Raises `UserError`, and whatever a file system does."""
        work = self.assignment
        form = WRITABLE[os.path.splitext(result)[1].lower()]
        done = restyle(work.source.read(name), self.styler, work.size, form, work.quality)
        work.target.write(result, done.data)
        return done


def error_text(error: Exception) -> str:
    """An error in one line: a user's mistake and a disk's refusal in words, others with their type."""
    if isinstance(error, UserError):
        return str(error)
    text = " ".join(str(error).split())
    if isinstance(error, OSError):
        return error.strerror or text or type(error).__name__
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def outcome(path: str, style: str, width: int = 0, height: int = 0, notes: str = "", error: str = "") -> dict[str, Any]:
    """A row of the table of outcomes; an empty error is success. Bytes of a name that are not UTF-8 are escaped."""
    row = {"path": os.fsencode(path).decode(errors="backslashreplace"), "style": style, "width": width}
    return row | {"height": height, "milliseconds": 0.0, "notes": notes, "error": error}


def load_network(work: Assignment) -> Styler:
    """The network on this actor's device: one thread of a CPU, or a GPU with batches of equal sizes."""
    if work.device == "cpu":
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{work.name}.safetensors")
        file.write_bytes(work.style)
        stylizer = Stylizer.load(StyleReference(file, work.inner), work.device)
    if work.brush != Brush():
        return BoundStyler(stylizer, work.brush)
    return Batching(stylizer) if work.device == "cuda" else stylizer
