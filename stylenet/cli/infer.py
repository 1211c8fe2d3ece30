"""`stylenet infer`: stylizes images and videos with a trained network."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from stylenet.cli.command import complain, program
from stylenet.cli.infer_options import brush_and_mask, parsed
from stylenet.cli.infer_report import Report
from stylenet.cli.infer_video import check_encoding, check_kinds, is_live, stylize_clips, stylize_live
from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.inference.blend import Blend, check_weights
from stylenet.inference.painter import BoundStyler, Painter
from stylenet.inference.preview import preview
from stylenet.inference.stylizer import Stylizer
from stylenet.media.decoders import ImageError
from stylenet.media.picture import Size
from stylenet.models.catalog import StyleReference, find_weighted_style, styles
from stylenet.models.style_file import read_card
from stylenet.pipeline.images import Batch
from stylenet.pipeline.plan import STANDARD_OUTPUT, Shard, plan

Compile: TypeAlias = bool | Literal["auto"]
Loader: TypeAlias = Callable[[Compile], Painter]  # as `compile` says


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = parsed(list(sys.argv[1:] if arguments is None else arguments))
    if options.list:
        return list_styles()
    live = is_live(options)
    if not options.inputs and not live:
        raise UserError(f"no input: {program()} IMAGE -s STYLE")
    loader, name = chosen_style(options) if options.painting is None else predicted_style(options)
    if live:
        brush, mask = brush_and_mask(options)
        return stylize_live(options, BoundStyler(loader(False), brush, mask), complain)
    return stylize_files(options, loader, name)


def chosen_style(options: argparse.Namespace) -> tuple[Loader, str]:
    """What loads the styles that `-s` names, and the name for results. Raises `UserError`."""
    if options.style is None:
        raise UserError(f"no style: -s NAME, one of: {', '.join(map(shown, styles())) or 'none yet'}")
    parts = [find_weighted_style(text) for text in options.style]
    check_weights([weight for _, weight in parts], masked=options.mask is not None)
    # Named as typed: a name on an untrusted style file's card must not decide where results go.
    return partial(load, parts, options.device), "+".join(style.name for style, _ in parts)


def predicted_style(options: argparse.Namespace) -> tuple[Loader, str]:
    """What predicts the style of the painting that `--painting` names, and its name. Raises `UserError`."""
    if options.style is not None:
        raise UserError("--painting and -s exclude each other: one predicts a style, the other names one")
    painting = Path(options.painting)
    if not painting.is_file():
        raise UserError(f"--painting: there is no file {shown(painting)}")
    try:
        stylizer = preview(painting, options.device)
    except ImageError as error:
        raise UserError(f"--painting {error}") from error
    train = f"python train.py style.image={shlex.quote(shown(painting))}"
    complain(f"a preview, predicted from {shown(painting.name)} without training; {train} trains on it")
    return (lambda compile: stylizer), painting.stem  # noqa: A006


def stylize_files(options: argparse.Namespace, loader: Loader, name: str) -> int:
    """Stylizes the images and clips that the options name; returns the exit code."""
    suffix = f".{options.format}" if options.format else None
    jobs = plan(options.inputs, name, options.output, suffix, options.skip_existing)
    if options.shard is not None:
        if options.output is None:
            raise UserError("--shard needs -o: results beside the images would be images of the next shard")
        jobs = Shard.read(options.shard).of(jobs)
    check_kinds(options, jobs)
    to_stream = any(job.target is STANDARD_OUTPUT for job in jobs)
    if to_stream and sys.stdout.isatty():
        raise UserError("an image can't be written to a terminal: -o FILE")
    brush, mask = brush_and_mask(options, jobs)
    left = [job for job in jobs if not (options.skip_existing and job.is_done())]
    images, clips = [job for job in left if not job.is_clip], [job for job in left if job.is_clip]
    check_encoding(options, clips)
    painter = loader("auto")
    styler = BoundStyler(painter, brush, mask)
    size = Size(options.size, options.max_size, options.max_pixels)
    with (
        Report(len(images), len(jobs) - len(left), to_stream) as report,
        Batch(styler, size, options.quality) as batch,
    ):
        painter.watch(report.rows.show)
        for result in batch.run(images):
            report.tell(result)
    code = 1 if report.failed else 0
    return max(code, stylize_clips(options, clips, styler, complain)) if clips else code


def load(parts: list[tuple[StyleReference, float]], device: str, compile: Compile) -> Painter:  # noqa: A002
    """One style, or a blend of several."""
    painters = [(Stylizer.load(file, device, compile=compile), weight) for file, weight in parts]
    return Blend(painters) if len(painters) > 1 else painters[0][0]


def list_styles() -> int:
    """One line a style: its name, its painting and the artist."""
    found = styles()
    cards = [entry for name, path in found.items() for entry in entries(name, path)]
    wide = max((len(shown(name)) for name, _ in cards), default=0)
    for name, text in cards:
        if text is not None:
            print(f"{shown(name):{wide}}  {text}".rstrip())
    if not found:
        complain("there are no styles yet: python train.py makes them")
    return 0 if all(text is not None for _, text in cards) else 1


def entries(name: str, path: Path) -> list[tuple[str, str | None]]:
    """Each style of a file, by what `-s` takes, with its painting; no text, and a complaint, if it can't be read."""
    try:
        paintings = read_card(path).paintings
    except UserError as error:
        complain(str(error))
        return [(name, None)]
    return [(f"{name}{style}", described(painting)) for style, painting in paintings.items()]


def described(painting: object) -> str:
    """Title and artist of a painting."""
    facts = painting if isinstance(painting, dict) else {}
    return ", ".join(shown(str(facts[key])) for key in ("title", "artist") if facts.get(key))
