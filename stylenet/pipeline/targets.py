"""Checks of the files that jobs will write: that none is an input, another result, or outside of the output folder."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from stylenet.disk import OverwriteError, printable
from stylenet.errors import UserError
from stylenet.media.numbered_images import NumberedImages
from stylenet.pipeline.job import Job


def check_targets(jobs: list[Job]) -> None:
    """Raises `OverwriteError` for a result in the place of an input, `UserError` for two results of one name."""
    sources = {identity(file): file for job in jobs for file in read_files(job)}
    targets: dict[str, Path] = {}
    for job in jobs:
        replaced = (sources.get(identity(file)) for file in files_of(job.target, job.sequence))
        overwritten = next((file for file in replaced if file is not None), None)
        if overwritten is not None:
            what = f"the result for {printable(job.source)}"
            raise OverwriteError(f"{what} would overwrite the input {printable(overwritten)}")
        other = targets.setdefault(entry(job.target), job.source)
        if other != job.source:
            both = f"{printable(other)} and {printable(job.source)}"
            raise UserError(f"{both} would both become {printable(job.target)}; each needs an output of its own")


def read_files(job: Job) -> Iterable[Path]:
    """The files that the job reads."""
    return files_of(job.source, NumberedImages.of(os.fspath(job.source)))


def files_of(path: Path, sequence: NumberedImages | None) -> Iterable[Path]:
    """The file; of a sequence, all that are there, as any of them may be read, or get another content."""
    return [path] if sequence is None else sequence.existing().values()


def would_replace(job: Job, file: Path) -> bool:
    """Whether a result takes the place of a file that is there, by whatever name or link."""
    return file.exists() and identity(file) in {identity(target) for target in files_of(job.target, job.sequence)}


def identity(path: Path) -> tuple[int, int] | str:
    """Equal for one file under different names: links, upper and lower case, other paths.

    Also where the path leads through a folder that is not there yet, and back out of it.
    """
    try:
        status = os.stat(os.path.realpath(path))
    except OSError:
        return entry(path)
    return status.st_dev, status.st_ino


def entry(path: Path) -> str:
    """The file's place in its folder, the same for names that differ in case where the system ignores it."""
    name = path.name.casefold() if sys.platform in ("darwin", "win32") else path.name
    return os.path.join(os.path.realpath(path.parent), name)


def check_inside(jobs: list[Job], folder: Path) -> None:
    """Raises `UserError` for a result that a link leads out of the folder."""
    for job in jobs:
        if not Path(os.path.realpath(job.target.parent)).is_relative_to(os.path.realpath(folder)):
            place = f"output {printable(job.target)} would lie outside of {printable(folder)}"
            raise UserError(f"{place}: a link leads there")
