"""Errors that a user can fix: one line, exit code 1. Every other exception is a bug and keeps its traceback."""


class UserError(ValueError):
    """A mistake of the user's or of their files. The message is one line: what was wanted, what came, which setting.

    Whatever it quotes of an untrusted file stays on that line: control characters are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message))
