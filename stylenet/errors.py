"""Errors that a user can fix: one line, exit code 1. Every other exception is a bug and keeps its traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """A mistake of the user's or of their files. The message is one line: what was wanted, what came, which setting.

    Whatever it quotes of an untrusted file stays on that line: control characters are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message))


def first_line(error: BaseException) -> str:
    """The first line of an error's text that is not empty, or its type."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def prefix_errors(name: str) -> Iterator[None]:
    """Puts the name of the setting or option that the block is about before its errors."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
