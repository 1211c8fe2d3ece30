"""What was done of a clip before a signal or an error: a file beside the target, and the time to continue at."""

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, islice
from pathlib import Path

from stylenet.disk import LONGEST_NAME
from stylenet.errors import UserError

PARTS = 20  # of a target, that are looked for
UNFINISHED = re.compile(r"-unfinished(-\d+)?$")  # how the stems of parts end


class Stopped(Exception):  # noqa: N818  # no error, as KeyboardInterrupt is none
    """The user ended the work by a signal, before the clip was through. The message says what is kept.

    `resume_at`, in seconds of the source, is where the rest begins; None if nothing was done.
    """

    def __init__(self, message: str, number: int, resume_at: Fraction | None = None) -> None:
        super().__init__(message)
        self.code = 128 + number  # what a shell expects
        self.resume_at = resume_at


class CutShortError(UserError):
    """An error within a clip, of which the frames before it are kept; the rest begins at `resume_at` seconds."""

    def __init__(self, message: str, resume_at: Fraction) -> None:
        super().__init__(message)
        self.resume_at = resume_at


def keep_unfinished(temporary: Path, target: Path) -> Path:
    """Gives what was written so far a name that is not taken yet. A sequence's files have theirs already."""
    if temporary == target:
        return target
    unfinished = next(path for path in part_names(target) if not os.path.lexists(path))
    os.replace(temporary, unfinished)
    return unfinished


def part_names(target: Path) -> Iterator[Path]:
    """`clip-unfinished.mp4`, `clip-unfinished-2.mp4` and so on: the parts of a clip that was stopped several times."""
    for number in count(1):
        end = f"-unfinished{'' if number == 1 else f'-{number}'}{target.suffix}"
        stem = target.stem
        while len(os.fsencode(stem + end)) > LONGEST_NAME:
            stem = stem[:-1]
        yield target.with_name(stem + end)


def parts_of(target: Path) -> Iterator[Path]:
    """The parts of a target that are there."""
    return (path for path in islice(part_names(target), PARTS) if os.path.lexists(path))
