"""Where a run goes on that was stopped or killed: which one, and from which of its checkpoints."""

import logging
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import torch

from stylenet.disk import shown
from stylenet.errors import UserError
from stylenet.training.run_folder import DECISIONS, LAST, OUTPUTS, PREVIOUS, is_going

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """A run's folder, and the checkpoint to go on from; without one, the run starts again from its beginning."""

    folder: Path
    checkpoint: Path | None


def find_start(resume: str, style: str) -> Start:
    """The newest whole checkpoint of a run: of the style's newest for `auto`, else of a run folder or a checkpoint.

    Raises `UserError`.
    """
    path = newest_run(style) if resume == "auto" else Path(resume)
    if path.is_dir():
        return Start(path, newest_whole(path))
    if path.name == LAST and (path.parent / DECISIONS).is_file():
        return Start(path.parent, newest_whole(path.parent))
    if not path.is_file():
        raise UserError(f"resume: no checkpoint at {shown(path)}")
    return Start(path.parent, path)


def newest_run(style: str) -> Path:
    """The folder of the style's run that showed the last sign of life; those that are still going are left alone."""
    runs = [path.parent for path in (OUTPUTS / style).glob(f"*/{DECISIONS}")]
    ended = [folder for folder in runs if not is_going(folder)]
    if not ended:
        still = f" ({len(runs)} still going)" if runs else ""
        raise UserError(f"resume: no run to go on with in {shown(OUTPUTS / style)}{still}")
    return max(ended, key=last_sign_of_life)


def last_sign_of_life(folder: Path) -> float:
    """When the run began, or wrote its last checkpoint."""
    signs = [folder / name for name in (DECISIONS, LAST, PREVIOUS)]
    return max(path.stat().st_mtime for path in signs if path.exists())


def newest_whole(folder: Path) -> Path | None:
    """The run's last checkpoint, or the one before it where the last is torn; nothing where no whole one is left."""
    for path in (folder / LAST, folder / PREVIOUS):
        if is_whole(path):
            return path
        if path.exists():
            log.warning("%s is torn and will not be used", shown(path))
    return None


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is there to its last byte: it is a zip archive, whose check sums torch does not look at."""
    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # zipfile raises almost anything on mutilated files
        return False


def steps_done(checkpoint: Path | None) -> int:
    """The number of steps that a checkpoint stands for. Raises `UserError` for another kind of file."""
    if checkpoint is None:
        return 0
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:  # a strange archive can raise anything
        raise UserError(f"resume: {shown(checkpoint)} is no checkpoint of a run") from error
