"""What reading and writing video files share: names for FFmpeg, errors and counts in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from stylenet.disk import DISK_ERRORS, DiskError
from stylenet.errors import UserError
from stylenet.media.limits import ImageError


def number_of(number: int, what: str) -> str:
    """A number of things: `1 frame`, `2 frames`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def url(path: Path) -> str:
    """A file's URL for FFmpeg, which would take `a:b.mp4` for a protocol."""
    return f"file:{os.fspath(path)}"


@contextmanager
def one_line_errors(name: str, nonsense: str = "is not a video in a format that can be read") -> Iterator[None]:
    """Turns FFmpeg's errors into `UserError`s that name the file; `nonsense` says what its "invalid" means here."""
    try:
        yield
    except ImageError as error:  # a frame beyond the limit of pixels
        raise type(error)(f"{name}: {error}") from error
    except av.FFmpegError as error:
        reason = nonsense if isinstance(error, ValueError) else error.strerror
        kind = DiskError if error.errno in DISK_ERRORS else UserError
        raise kind(f"{name}: {reason}") from error
