#!/usr/bin/env python3
"""Stylises pictures with a trained network: `python infer.py photo.jpg -s starry`."""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from stylenet.batch import Batch
from stylenet.checkpoints import find_style, styles
from stylenet.device import DEVICES
from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.files import STANDARD_OUTPUT, plan
from stylenet.formats import WRITABLE
from stylenet.network import MINIMUM_SIDE
from stylenet.picture import Size
from stylenet.reporting import Report
from stylenet.style_file import read_card
from stylenet.stylizer import Stylizer

EXAMPLES = """\
examples:
  python infer.py photo.jpg -s starry                 writes photo-starry.jpg beside it
  python infer.py holiday/ 'more/*.png' -s wave -o styled   writes into the folder styled
"""
INTERRUPTED = 130  # what a shell expects after Ctrl-C


class Parser(argparse.ArgumentParser):
    """Says in one line what was wrong, without the usage, and ends with exit code 1."""

    def error(self, message: str) -> NoReturn:
        complain(f"error: {' '.join(message.split())} (see --help)")
        sys.exit(1)


def parser() -> Parser:
    result = Parser(
        "infer.py",
        description="Stylises pictures with a trained network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for add_options in (add_main_options, add_size_options, add_file_options):
        add_options(result)
    return result


def add_main_options(to: Parser) -> None:
    add = to.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="picture, folder or glob (after --, also with a leading dash); - is standard input",
    )
    add("-s", "--style", metavar="NAME_OR_FILE", help="a style of checkpoints/, or a style file")
    add(
        "-o",
        "--output",
        metavar="DIR_OR_FILE",
        help="a file if it has a picture's suffix (which gives the format), else a folder, made if need be; "
        "- is standard output; default: <stem>-<style>.<ext> beside each input",
    )
    add("--device", choices=DEVICES, default="auto", help="default: the fastest there is")
    add("--list", action="store_true", help="print the styles there are")


def add_size_options(to: Parser) -> None:
    group = to.add_argument_group(
        "size",
        "Strokes keep their size in pixels, so they are broader in a smaller picture.\n"
        "Default: the picture's own size.",
    )
    side = whole_number(MINIMUM_SIDE)
    group.add_argument("--size", type=side, metavar="N", help="the result's short side gets N pixels")
    group.add_argument("--max-size", type=side, metavar="N", help="the result's long side gets N pixels at most")


def add_file_options(to: Parser) -> None:
    add = to.add_argument_group("files").add_argument
    formats = [suffix[1:] for suffix in WRITABLE]
    add("--format", choices=formats, help="of the results; default: the output's, or each input's own, else PNG")
    add("--quality", type=whole_number(1, 100), metavar="1…100", help="of JPEG and WebP; default: 92")
    add("--skip-existing", action="store_true", help="leave out results that are there: goes on after a stop")


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """What argparse makes of an option's text."""
    allowed = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(f"must be {allowed}, got {text}")
        return int(text)

    return number


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options; names behind a `--` are set aside, as argparse before 3.13 loses some among options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser().parse_intermixed_args(arguments[:end])
    options.inputs += arguments[end + 1 :]
    return options


def main() -> int:
    """Runs the command line; returns the exit code."""
    options = parsed(sys.argv[1:])
    if options.list:
        return list_styles()
    if not options.inputs:
        raise UserError("which picture? python infer.py PHOTO -s STYLE")
    if options.style is None:
        raise UserError(f"which style? -s NAME, one of: {', '.join(map(shown, styles())) or 'none yet'}")
    return stylize(options)


def stylize(options: argparse.Namespace) -> int:
    """Stylises what the options name; returns the exit code."""
    file = find_style(options.style)
    suffix = f".{options.format}" if options.format else None
    # Named after the file: what a stranger's card calls itself has no say in where results go.
    jobs = plan(options.inputs, file.stem, options.output, suffix, options.skip_existing)
    left = [job for job in jobs if not (options.skip_existing and job.is_done())]
    to_stream = any(job.target is STANDARD_OUTPUT for job in jobs)
    if to_stream and sys.stdout.isatty():
        raise UserError("a picture can't be written to a terminal: -o FILE")
    stylizer = Stylizer.load(file, options.device)
    size = Size(options.size, options.max_size)
    with Report(len(left), len(jobs) - len(left), to_stream) as report, Batch(stylizer, size, options.quality) as batch:
        for result in batch.run(left):
            report.tell(result)
    return 1 if report.failed else 0


def list_styles() -> int:
    """One line a style: its name, its painting and the artist."""
    found = styles()
    wide = max(map(len, map(shown, found)), default=0)
    cards = [(name, described(path)) for name, path in found.items()]
    for name, text in cards:
        if text is not None:
            print(f"{shown(name):{wide}}  {text}".rstrip())
    if not found:
        complain("there are no styles yet: python train.py makes them")
    return 0 if all(text is not None for _, text in cards) else 1


def described(path: Path) -> str | None:
    """Title and artist on a style file's card; nothing, and a complaint, if it can't be read."""
    try:
        painting = read_card(path).facts.get("painting")
    except UserError as error:
        complain(str(error))
        return None
    facts = painting if isinstance(painting, dict) else {}
    return ", ".join(shown(str(facts[key])) for key in ("title", "artist") if facts.get(key))


def complain(message: str) -> None:
    print(f"infer.py: {message}", file=sys.stderr, flush=True)


def guarded() -> int:
    """Runs `main`; a user's mistake is one line and exit code 1, a bug keeps its traceback."""
    warnings.filterwarnings("ignore", module="PIL")  # what is wrong with a file is said in our own line
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return main()
    except UserError as error:
        complain(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read what was written has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no half file stays behind
    sys.exit(guarded())
