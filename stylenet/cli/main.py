"""The program `stylenet COMMAND …`, which is also `python -m stylenet COMMAND …`.

A command is a module with `main(arguments: Sequence[str] | None = None) -> int`, and one line in `COMMANDS`.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from stylenet.cli.command import complain, run_main
from stylenet.version import __version__


class Command(NamedTuple):
    """A command's module, which is imported when it is called, and its line in `stylenet --help`."""

    module: str
    help: str


COMMANDS = {
    "train": Command("stylenet.cli.train", "train a network on one painting"),
    "infer": Command("stylenet.cli.infer", "stylize images and videos with a trained network"),
    "report": Command("stylenet.cli.report", "write an HTML report of training runs"),
    "serve": Command("stylenet.cli.serve", "serve stylized images over HTTP"),
    "cluster": Command("stylenet.cli.cluster", "stylize folders of images on a Ray cluster"),
    "evaluate": Command("stylenet.cli.evaluate", "measure a network on held-out photos"),
    "optimize": Command("stylenet.cli.optimize", "stylize one image by optimization, without a network"),
    "convert": Command("stylenet.cli.convert", "import a network trained with pytorch/examples' fast_neural_style"),
    "export": Command("stylenet.cli.export", "export a network to ONNX, for other runtimes"),
    "web": Command("stylenet.cli.web", "write the browser page as static files"),
    "hub": Command("stylenet.cli.hub", "upload a network to the Hugging Face Hub, or download one"),
    "release": Command("stylenet.cli.release", "train and evaluate the networks in checkpoints/"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `stylenet` with these arguments, or with those of the process; returns the exit code."""
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in COMMANDS:
        return run_command(name, rest)
    return run_main(no_command, [name], "stylenet")


def run_command(name: str, arguments: Sequence[str], program: str | None = None) -> int:
    """Runs one command; messages begin with `program`, by default `stylenet NAME`. Returns the exit code."""

    def imported(arguments: Sequence[str]) -> int:
        code: int = import_module(COMMANDS[name].module).main(arguments)
        return code

    return run_main(imported, arguments, program or f"stylenet {name}")


def no_command(arguments: Sequence[str]) -> int:
    """Answers `--help`, `--version`, and anything that is no command."""
    if arguments[0] in ("-h", "--help", "help"):
        print(usage())
    elif arguments[0] == "--version":
        print(f"stylenet {__version__}")
    else:
        complain(f"error: no command {arguments[0]!r}; commands: {', '.join(COMMANDS)}")
        return 1
    return 0


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        ["usage: stylenet COMMAND ...", "", "commands (stylenet COMMAND --help shows the options):", *lines]
    )
