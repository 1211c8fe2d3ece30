"""Shared by all commands: messages of one line, an argument parser, and the exit code for each kind of error."""

import argparse
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import NoReturn

from stylenet.disk import DISK_ERRORS, OverwriteError, printable, refusal
from stylenet.errors import UserError
from stylenet.models.limits import SUFFIX
from stylenet.signals import ending_signals, received

Main = Callable[[Sequence[str]], int]

INTERRUPTED = 128 + signal.SIGINT  # the exit code that shells expect after Ctrl-C
PROGRAM = ContextVar("PROGRAM", default="stylenet")


class OneLineParser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises `UserError` instead of printing its usage and exiting with code 2."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{' '.join(message.split())} (see --help)")


class Parser(OneLineParser):
    """The parser of a command."""

    def __init__(self, description: str | None, epilog: str | None = None) -> None:
        super().__init__(
            program(),
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )


def program() -> str:
    """The running command as the user typed it: `stylenet infer`, or `infer.py`."""
    return PROGRAM.get()


def typed_program() -> str:
    """The running command as it is typed in a shell: `stylenet infer`, or `python infer.py`."""
    return f"python {program()}" if program().endswith(".py") else program()


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """An argparse type: whole numbers within limits."""
    allowed = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(f"must be {allowed}, got {text}")
        return int(text)

    return number


def complain(message: str) -> None:
    """Prints one line to standard error, with the name of the command in front."""
    print(f"{program()}: {message}", file=sys.stderr, flush=True)


def run_main(main: Main, arguments: Sequence[str], name: str) -> int:
    """Runs a command's `main` under the name that messages show; returns the exit code.

    0 is success; 1 a mistake of the user's (`UserError`, one line), a file that the system refuses (one line) or a
    closed pipe; 128 plus the signal's number after SIGINT, SIGTERM or SIGHUP. Any other exception is a bug and keeps
    its traceback.
    """
    token = PROGRAM.set(name)
    try:
        with standard_streams(), ending_signals(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # problems with a file are reported in our own line
            return exit_code(main, arguments)
    finally:
        PROGRAM.reset(token)


def exit_code(main: Main, arguments: Sequence[str]) -> int:
    """Calls `main` and turns what ends it into an exit code."""
    try:
        code = main(arguments)
        return code if flush_output() else code or 1
    except OverwriteError as error:
        complain(f"error: {error}: choose another file with -o")
        return 1
    except UserError as error:
        complain(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ended:  # a signal, or argparse after --help
        return code_of(ended)
    except BrokenPipeError:  # the reader of the output has gone
        discard_output()
        return 1
    except Exception as error:
        if received:  # what a library made of a signal's exception
            return 128 + received[0]
        if isinstance(error, OSError) and error.filename is not None and error.strerror:
            complain(f"error: {refusal(error)}")
            return 1
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            give_up_output(error)
            return 1
        raise


def flush_output() -> bool:
    """Whether all of standard output was written; one line if not."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_output(error)
        return False
    return True


def give_up_output(error: OSError) -> None:
    """Says in one line that standard output takes no more: by its buffer, a print fails or only the end of the run."""
    discard_output()
    complain(f"error: {refusal(error, 'standard output or the disk')}")


def discard_output() -> None:
    """Sends the rest of standard output nowhere, also what is still in its buffer."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def code_of(ended: SystemExit) -> int:
    """The exit code of a `SystemExit`, whose text, if it has one, is printed."""
    if isinstance(ended.code, str):
        complain(ended.code)
        return 1
    return ended.code or 0


@contextmanager
def standard_streams() -> Iterator[None]:
    """Makes standard output and error usable wherever the command runs.

    Characters that a terminal's encoding lacks are escaped; streams of a notebook have no `reconfigure`; a program
    without a console has no streams at all (`None`), and writes nowhere.
    """
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w") as nowhere:
        sys.stdout, sys.stderr = (stream or nowhere for stream in before)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def quieten() -> None:
    """Leaves the screen to this project's own lines. Lightning sets its level when it is imported, so after that."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "datasets", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("pytorch_lightning.profilers").setLevel(logging.INFO)  # the report of trainer.profiler=simple
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch|PIL")


def style_target(output: Path | None, usual: Path) -> Path:
    """The place of a style file: `output` as it was typed, else the usual one, where that would replace no file.

    Raises `UserError`.
    """
    target = output or usual
    if target.suffix != SUFFIX:
        raise UserError(f"-o must end in {SUFFIX}, got {printable(target)}")
    if output is None and target.exists():
        raise UserError(f"{printable(target)} exists; choose another file with -o")
    return target
