"""The program `stylenet`: its commands, its exit codes, and streams that are no terminal's."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from stylenet.cli.command import Parser, complain, run_main
from stylenet.cli.main import COMMANDS, main
from stylenet.errors import UserError

ROOT = Path(__file__).parents[2]


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out and command.help in out for name, command in COMMANDS.items())


def test_an_unknown_command_is_one_line_with_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paint\x1b"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("stylenet: error: no command 'paint\\x1b'; commands: train, infer, ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_help_under_its_own_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"stylenet {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "module", ["stylenet", "stylenet.evaluate", "stylenet.optimize", "stylenet.convert", "stylenet.release"]
)
def test_every_command_can_be_started_as_a_module(module: str) -> None:
    command = ["evaluate"] if module == "stylenet" else []
    done = run("-m", module, *command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    name = module.partition(".")[2] or "evaluate"
    assert done.stdout.startswith(f"usage: stylenet {name} ")


def raising(error: BaseException) -> int:
    def command(arguments: Sequence[str]) -> int:
        raise error

    return run_main(command, [], "stylenet test")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("no such photo"), 1, "stylenet test: error: no such photo\n"),
        (KeyboardInterrupt(), 130, ""),
        (SystemExit(143), 143, ""),
        (SystemExit(None), 0, ""),
        (SystemExit("in words"), 1, "stylenet test: in words\n"),
    ],
)
def test_what_ends_a_command_becomes_an_exit_code(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(error) == code
    assert capsys.readouterr() == ("", message)


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    def command(arguments: Sequence[str]) -> int:
        signal.raise_signal(number)
        raise AssertionError

    before = signal.getsignal(number)
    assert run_main(command, [], "x") == 128 + number
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_its_exit_code_when_a_library_replaces_its_exception(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(arguments: Sequence[str]) -> int:
        try:
            signal.raise_signal(number)
        finally:
            raise AttributeError("half a state")

    assert run_main(command, [], "x") == 128 + number
    assert capsys.readouterr() == ("", "")


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: Sequence[str]) -> int:
        Parser("Does nothing.").parse_args(arguments)
        return 0

    assert run_main(command, ["--nope"], "x") == 1
    assert capsys.readouterr().err == "x: error: unrecognized arguments: --nope (see --help)\n"


class NotebookStream(io.StringIO):
    """A stream without `reconfigure` and `fileno`, as ipykernel's is."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


@pytest.mark.parametrize("stream", [NotebookStream(), None])
def test_a_command_runs_without_a_terminals_streams(
    stream: NotebookStream | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(arguments: Sequence[str]) -> int:
        print("result")
        complain("remark")
        return int(sys.stdout.isatty())

    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    assert run_main(command, [], "x") == 0
    assert stream is None or stream.getvalue() == "result\nx: remark\n"
    assert sys.stdout is stream


def test_a_reader_that_has_gone_ends_the_command_in_silence() -> None:
    code = "from stylenet.cli.command import run_main; exit(run_main(lambda _: print('x' * 10**6) or 0, [], 'x'))"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1


def test_a_file_that_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: Sequence[str]) -> int:
        raise PermissionError(13, "Permission denied", "/home/colleague/a\nb.jpg")

    assert run_main(fails, [], "infer.py") == 1
    assert capsys.readouterr().err == "infer.py: error: '/home/colleague/a\\nb.jpg' cannot be used: Permission denied\n"
    long = "x" * 300
    assert main(["infer", "photo.jpg", "-s", long]) == 1
    assert f"there is no style {long}" in capsys.readouterr().err
