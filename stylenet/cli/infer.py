"""`stylenet infer`: stylizes images and videos with a trained network.

Everything that can be checked without torch is checked first, so that a wrong option is answered at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stylenet.cli.command import complain, program
from stylenet.cli.infer_options import check_engine_options, check_files, parse_arguments
from stylenet.cli.infer_video import check_jobs, is_live
from stylenet.disk import OverwriteError, printable
from stylenet.errors import UserError
from stylenet.inference.settings import check_weights
from stylenet.models.catalog import PREVIEW, StyleReference, find_weighted_style, style_choices
from stylenet.pipeline.job import STANDARD_INPUT, STANDARD_OUTPUT, Job, Shard
from stylenet.pipeline.plan import plan

Parts = list[tuple[StyleReference, float]]  # styles and their weights; none for a painting that is predicted


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = parse_arguments(list(sys.argv[1:] if arguments is None else arguments))
    if options.list:
        from stylenet.cli.infer_list import list_styles

        return list_styles()
    live = is_live(options)
    check_streams(options.raw is not None, options.raw is not None)
    if not options.inputs and not live:
        raise UserError(f"no input: {program()} IMAGE -s STYLE")
    parts, name = chosen_styles(options) if options.painting is None else predicted_style(options)
    jobs = [] if live else plan_outputs(options, name)
    check_engine_options(options, live or any(job.is_clip for job in jobs))
    check_files(options, jobs)
    from stylenet.cli.infer_run import stylize_files, stylize_frames  # after the checks: torch takes seconds to import

    return stylize_frames(options, parts) if live else stylize_files(options, parts, jobs)


def chosen_styles(options: argparse.Namespace) -> tuple[Parts, str]:
    """The styles that `-s` names, and the name for results. Raises `UserError`."""
    if options.style is None:
        raise UserError(f"no style: -s NAME, one of: {', '.join(style_choices()) or 'none yet'}")
    parts = [find_weighted_style(text) for text in options.style]
    check_weights([weight for _, weight in parts], masked=options.mask is not None)
    # Named as typed: a name on an untrusted style file's card must not decide where results go.
    return parts, "+".join(style.name for style, _ in parts)


def predicted_style(options: argparse.Namespace) -> tuple[Parts, str]:
    """No style, and the name of the painting that `--painting` names, for results. Raises `UserError`."""
    if options.style is not None:
        raise UserError("--painting and -s exclude each other: one predicts a style, the other names one")
    painting = Path(options.painting)
    if not os.path.isfile(painting):
        raise UserError(f"--painting: there is no file {printable(painting)}")
    return [], f"{PREVIEW}{painting.stem}"  # a trained style may have the painting's name


def plan_outputs(options: argparse.Namespace, name: str) -> list[Job]:
    """The images and clips that the options name, with their targets. Raises `UserError`."""
    suffix = f".{options.format}" if options.format else None
    try:
        jobs = plan(options.inputs, name, options.output, suffix, options.skip_existing, complain)
    except OverwriteError as error:
        advice = "choose another output with -o, or leave out earlier results with --skip-existing"
        raise UserError(f"{error}; {advice}") from error
    to_stream = any(job.target is STANDARD_OUTPUT for job in jobs)
    check_streams(any(job.source is STANDARD_INPUT for job in jobs), to_stream)
    check_jobs(options, jobs)  # all of them, as another shard may have what an option is for
    if options.shard is not None:
        if options.output is None or any(job.is_beside() for job in jobs):
            raise UserError("--shard needs -o elsewhere: results beside the images would be images of the next shard")
        jobs = Shard.read(options.shard).of(jobs)
    if to_stream and sys.stdout.isatty():
        raise UserError("an image cannot be written to a terminal: -o FILE")
    return jobs


def check_streams(reads: bool, writes: bool) -> None:
    """Raises `UserError` for a standard stream that is used and closed; `sys.stdout` then writes nowhere."""
    if reads and sys.stdin is None:
        raise UserError("standard input is closed")
    if writes and sys.__stdout__ is None:
        raise UserError("standard output is closed")
