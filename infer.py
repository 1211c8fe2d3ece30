#!/usr/bin/env python3
"""Stylises pictures with a trained network: `python infer.py photo.jpg -s starry`."""

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import NoReturn

from stylenet.checkpoints import find_style, styles
from stylenet.device import DEVICES
from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.files import Job, plan
from stylenet.formats import write_image
from stylenet.image import decode_image
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
    add = result.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="picture, folder or glob (after --, also with a leading dash)",
    )
    add("-s", "--style", metavar="NAME_OR_FILE", help="a style of checkpoints/, or a style file")
    add(
        "-o",
        "--output",
        metavar="DIR_OR_FILE",
        help="a file if it has a picture's suffix (which gives the format), else a folder, made if need be; "
        "default: <stem>-<style>.<ext> beside each input",
    )
    add("--device", choices=DEVICES, default="auto", help="default: the fastest there is")
    add("--list", action="store_true", help="print the styles there are")
    return result


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
    file = find_style(options.style)
    # Named after the file: what a stranger's card calls itself has no say in where results go.
    jobs = plan(options.inputs, file.stem, options.output)
    stylizer = Stylizer.load(file, options.device)
    results = [succeeds(stylizer, job) for job in jobs]
    return 0 if all(results) else 1


def succeeds(stylizer: Stylizer, job: Job) -> bool:
    """Stylises one picture and says so in a line, or says why not."""
    try:
        print(stylize_file(stylizer, job), flush=True)
    except UserError as error:
        complain(str(error) if shown(job.source) in str(error) else f"{shown(job.source)}: {error}")
        return False
    except OSError as error:
        complain(f"{shown(job.source)}: can't write {shown(job.target)}: {error.strerror}")
        return False
    return True


def stylize_file(stylizer: Stylizer, job: Job) -> str:
    start = time.perf_counter()
    photo = decode_image(job.source)
    before = time.perf_counter()
    stylised = stylizer.stylize(photo)
    network = time.perf_counter() - before
    write_image(job.target, stylised)
    whole = time.perf_counter() - start
    times = f"network {1000 * network:.0f} ms, whole {1000 * whole:.0f} ms"
    return f"{shown(job.source)} -> {shown(job.target)}  {photo.width} x {photo.height}, {times}"


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


if __name__ == "__main__":
    sys.exit(guarded())
