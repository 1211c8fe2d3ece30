"""What a user can mend: shown as one line, with exit code 1. Every other exception is a bug and keeps its traceback."""


class UserError(ValueError):
    """A mistake of the user's or of their files. The message is one line: what was wanted, what came, which setting."""
