"""Where a network of many styles is written: never over a file unasked, and first into its run's folder."""

import logging
import shutil
from pathlib import Path

from stylenet.disk import atomic_write, printable
from stylenet.errors import UserError
from stylenet.models.catalog import CHECKPOINTS, infer_command
from stylenet.models.conditional import ConditionalNet
from stylenet.models.style_file import SUFFIX, Card, save_style
from stylenet.training.run_folder import disk_errors

log = logging.getLogger(__name__)


def checked_target(target: Path, replace_it: bool) -> Path:
    """Raises `UserError` rather than replace a file unasked, before any work is done."""
    if target.exists() and not replace_it:
        raise UserError(f"{printable(target)} exists; replace=true overwrites it, style.name= gives another name")
    return target


def further_target(asked: str, source: Path, painting: str, replace_it: bool) -> Path:
    """The file for a network and one more painting: beside a file that was typed, else in `checkpoints/`.

    Raises `UserError` rather than replace a file unasked, or one that belongs to the package or a cache.
    """
    folder = source.parent if Path(asked).is_file() else CHECKPOINTS
    if not replace_it:
        return checked_target(folder / f"{source.stem}-{painting}{SUFFIX}", False)
    if folder.resolve() != source.parent.resolve():
        raise UserError(f"replace=true: {printable(source)} is not yours to replace; without it a new file is written")
    return source


def finish(network: ConditionalNet, card: Card, target: Path, folder: Path, style: str) -> int:
    """Writes the style file into the run's folder and to where its name finds it. Prints the command that uses it."""
    file = folder / target.name
    with disk_errors(file):
        save_style(file, network, card)
    try:
        with atomic_write(target) as temporary:
            shutil.copyfile(file, temporary)
        file = target
    except OSError as error:
        log.warning(
            "the style file stays in its run folder: %s cannot be written (%s)", printable(target), error.strerror
        )
    log.info("%s holds %d styles", printable(file), card.network.styles)
    print(infer_command(file, style), flush=True)
    return 0
