"""The work of `stylenet infer`, once its options were checked."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from stylenet.cli.command import complain
from stylenet.cli.infer_report import Report
from stylenet.cli.infer_video_run import stylize_clips, stylize_live
from stylenet.device import memory_errors
from stylenet.disk import printable
from stylenet.engines.settings import TORCH
from stylenet.errors import UserError
from stylenet.inference.blend import Blend
from stylenet.inference.mask import Mask, as_mask
from stylenet.inference.painter import BoundStyler, Painter
from stylenet.inference.preview import preview
from stylenet.inference.stylizer import Stylizer
from stylenet.media.decoders import opened_image
from stylenet.media.image import upright
from stylenet.media.limits import ImageError
from stylenet.media.picture import Size
from stylenet.models.catalog import StyleReference, program
from stylenet.pipeline.images import Batch
from stylenet.pipeline.job import STANDARD_OUTPUT, Job

Compile: TypeAlias = bool | Literal["auto"]
Parts: TypeAlias = Sequence[tuple[StyleReference, float]]


def stylize_frames(options: argparse.Namespace, parts: Parts) -> int:
    """Stylizes raw frames or a camera's until they end; returns the exit code."""
    return stylize_live(options, bound(options, parts, compile=False), complain)


def stylize_files(options: argparse.Namespace, parts: Parts, jobs: Sequence[Job]) -> int:
    """Stylizes images, then clips; returns the exit code."""
    left = [job for job in jobs if not (options.skip_existing and job.is_done())]
    images, clips = [job for job in left if not job.is_clip], [job for job in left if job.is_clip]
    skipped_clips = sum(job.is_clip for job in jobs) - len(clips)
    styler = bound(options, parts, compile="auto")
    size = Size(options.size, options.max_size, options.max_pixels)
    to_stream = any(job.target is STANDARD_OUTPUT for job in jobs)
    with (
        Report(len(images), len(jobs) - len(left) - skipped_clips, to_stream) as report,
        Batch(styler, size, options.quality) as batch,
    ):
        styler.painter.watch(report.rows.show)
        for result in batch.run(images):
            report.tell(result)
    code = 1 if report.failed or report.unsaid else 0
    return max(code, stylize_clips(options, clips, skipped_clips, styler, complain))


def bound(options: argparse.Namespace, parts: Parts, compile: Compile) -> BoundStyler:  # noqa: A002
    """The styles with the controls and the mask of the options. Raises `UserError`."""
    mask = mask_of(options)
    compile = compile if options.engine == TORCH else False  # noqa: A001
    painter = load(parts, options.device, compile, options.engine) if parts else predict_style(options)
    return BoundStyler(painter, options.brush, mask)


def load(parts: Parts, device: str, compile: Compile, engine: str) -> Painter:  # noqa: A002
    """One style, or a blend of several."""
    painters = [(Stylizer.load(file, device, compile=compile, engine=engine), weight) for file, weight in parts]
    return Blend(painters) if len(painters) > 1 else painters[0][0]


def predict_style(options: argparse.Namespace) -> Painter:
    """The style that a network of many styles predicts from the painting of `--painting`. Raises `UserError`."""
    painting = Path(options.painting)
    try:
        stylizer = preview(painting, options.device, engine=options.engine)
    except ImageError as error:
        raise UserError(f"--painting {error}") from error
    train = f"{program('train')} style.image={shlex.quote(printable(painting))}"
    complain(f"this is a preview, predicted from {printable(painting.name)} without training; to train on it: {train}")
    return stylizer


def mask_of(options: argparse.Namespace) -> Mask | None:
    """The mask that the options name, inverted if they say so. Raises `UserError`."""
    if options.mask is None:
        return None
    try:
        with memory_errors(f"--mask {printable(options.mask)}: not enough memory"), opened_image(options.mask) as image:
            mask = as_mask(upright(image))
    except ImageError as error:
        raise UserError(f"--mask {error}") from error
    return 1 - mask if options.mask_invert else mask
