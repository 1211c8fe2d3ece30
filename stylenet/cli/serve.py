"""`stylenet serve`: an HTTP service that stylizes images and clips."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stylenet.cli.command import Parser, whole_number
from stylenet.errors import UserError
from stylenet.serve.settings import FALLBACKS, Limits, ServiceSettings

DEVICES = ("auto", "cpu", "cuda", "mps")
EXTRA = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "fastapi_swagger")
PREFIX = "STYLENET_SERVE_"  # of environment variables
KEYS = "STYLENET_API_KEYS"
EPILOG = f"""\
examples:
  stylenet serve                                      all styles of checkpoints/, http://127.0.0.1:8000
  stylenet serve --styles starry wave --workers 4 --host 0.0.0.0 --rate 60

Every option can be set by an environment variable as well: {PREFIX}PORT=80, {PREFIX}STYLES='starry wave';
the option has precedence. API keys are set by {KEYS} alone, separated by spaces.
"""


def parser() -> Parser:
    result = Parser("Serves stylized images over HTTP.", EPILOG)
    for add in (add_main_options, add_limits, add_job_options):
        add(result)
    return result


def add_main_options(to: Parser) -> None:
    add, defaults = to.add_argument, ServiceSettings()
    add("--styles", nargs="+", default=[], metavar="STYLE", help="names in checkpoints/, or style files; default: all")
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0: all; default: %(default)s")
    add("--port", type=whole_number(0, 65_535), default=8000, help="port; 0: any free one; default: %(default)s")
    add("--device", choices=DEVICES, default="auto", help="auto (default): all GPUs, else the CPU")
    add("--workers", type=whole_number(1), metavar="N", help="processes; default: one per GPU or CPU core")
    add("--fallback", choices=FALLBACKS, help="use a style's tiny network while half of the queue is full")
    drain = "seconds for requests to end after SIGTERM; default: %(default)g"
    add("--drain", type=positive_number, default=defaults.drain_seconds, metavar="SECONDS", help=drain)
    add("--proxies", metavar="ADDRESSES", help="proxies whose X-Forwarded-For is trusted, separated by commas")


def add_limits(to: Parser) -> None:
    group = to.add_argument_group("limits", "The most that is accepted.")
    add, count, defaults = group.add_argument, whole_number(1), ServiceSettings()
    add("--queue", type=count, default=defaults.queue, metavar="N", help="waiting requests; default: %(default)s")
    add("--rate", type=positive_number, metavar="N", help="requests per minute and client; default: no limit")
    add_three(add, "max", "an image", defaults.image)


def add_job_options(to: Parser) -> None:
    group = to.add_argument_group("jobs", "The most that is accepted of videos and animations.")
    add, count, defaults = group.add_argument, whole_number(1), ServiceSettings()
    add("--jobs", type=count, default=defaults.jobs, metavar="N", help="waiting or running; default: %(default)s")
    add_three(add, "job", "a job", defaults.job)
    add("--results", type=Path, metavar="DIR", help="folder for uploads and results; default: a temporary one")
    space = "bytes of uploads and results on the disk; default: %(default)s"
    add("--results-bytes", type=count, default=defaults.results_bytes, metavar="N", help=space)
    kept = "how long results are kept; default: %(default)g"
    add("--results-seconds", type=positive_number, default=defaults.results_seconds, metavar="SECONDS", help=kept)


def add_three(add: Callable[..., Any], prefix: str, of: str, limits: Limits) -> None:
    """The options of one `Limits`."""
    count, default = whole_number(1), "default: %(default)s"
    add(f"--{prefix}-bytes", type=count, default=limits.bytes, metavar="N", help=f"bytes of {of}; {default}")
    add(f"--{prefix}-pixels", type=count, default=limits.pixels, metavar="N", help=f"pixels of {of}; {default}")
    time = f"time for {of}; default: %(default)g"
    add(f"--{prefix}-seconds", type=positive_number, default=limits.seconds, metavar="SECONDS", help=time)


def positive_number(text: str) -> float:
    """An argparse type: numbers above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def from_environment(options: Parser, environment: Mapping[str, str]) -> list[str]:
    """The arguments that environment variables stand for."""
    arguments = []
    for action in options._actions:
        text = environment.get(PREFIX + action.dest.upper())
        if text and action.option_strings and action.dest != "help":
            values = text.split() if action.nargs == "+" else [text]
            arguments += [action.option_strings[0], *values]
    return arguments


def settings(chosen: argparse.Namespace, keys: str) -> ServiceSettings:
    """The settings that the options mean. Raises `UserError`."""
    return ServiceSettings(
        styles=tuple(chosen.styles),
        device=chosen.device,
        workers=chosen.workers,
        queue=chosen.queue,
        image=Limits(chosen.max_bytes, chosen.max_pixels, chosen.max_seconds),
        job=Limits(chosen.job_bytes, chosen.job_pixels, chosen.job_seconds),
        jobs=chosen.jobs,
        rate=chosen.rate,
        api_keys=tuple(keys.split()),
        fallback=chosen.fallback,
        results=chosen.results,
        results_bytes=chosen.results_bytes,
        results_seconds=chosen.results_seconds,
        drain_seconds=chosen.drain,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    options = parser()
    given = from_environment(options, os.environ) + list(sys.argv[1:] if arguments is None else arguments)
    chosen = options.parse_args(given)
    wanted = settings(chosen, os.environ.get(KEYS, ""))
    if not all(map(importlib.util.find_spec, EXTRA)):
        raise UserError("the service needs its extra: pip install 'stylenet[serve]'")
    from stylenet.serve.server import run

    return run(wanted, chosen.host, chosen.port, chosen.proxies)
