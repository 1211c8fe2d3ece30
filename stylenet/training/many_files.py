"""Where a network of many styles is written: never over a file unasked, and first into its run's folder."""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import atomic_write, file_sha256, home_expanded, printable
from stylenet.errors import UserError
from stylenet.models.catalog import CHECKPOINTS, infer_command
from stylenet.models.conditional import ConditionalNet
from stylenet.models.hub import style_name
from stylenet.models.style_file import SUFFIX, Card, save_style
from stylenet.training.run_folder import disk_errors

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """Where a network will be written, and the hash of the file that is there before the training; None: no file."""

    path: Path
    before: str | None


def new_target(path: Path, replace_it: bool, remedy: str) -> Target:
    """Raises `UserError`, which offers the remedy, rather than replace a file unasked, before any work is done."""
    before = sha256_of(path)
    if before and not replace_it:
        raise UserError(f"{printable(path)} exists; {remedy}, style.name= gives another name")
    return Target(path, before)


def further_target(asked: str, source: Path, painting: str, replace_it: bool) -> Target:
    """The file for a network and one more painting: beside a file that was typed, else in `checkpoints/`.

    With `replace_it`, the network's own file. Raises `UserError` rather than replace a file unasked, or one that
    belongs to the package or a cache.
    """
    folder = source.parent if os.path.isfile(home_expanded(asked)) else CHECKPOINTS
    own = folder.resolve() == source.parent.resolve()
    if replace_it and own:
        return Target(source, sha256_of(source))
    if replace_it:
        raise UserError(f"replace=true: {printable(source)} is not yours to replace; without it a new file is written")
    remedy = f"replace=true adds the style to {printable(source)} instead" if own else "remove it"
    return new_target(folder / f"{style_name(source)}-{painting}{SUFFIX}", False, remedy)


def sha256_of(path: Path) -> str | None:
    return file_sha256(path) if path.exists() else None


def finish(network: ConditionalNet, card: Card, target: Target, folder: Path, style: str) -> None:
    """Writes the style file into the run's folder and to where its name finds it. Prints the command that uses it."""
    file = folder / target.path.name
    with disk_errors(file):
        save_style(file, network, card)
    try:
        file = publish(file, target)
    except OSError as error:
        warn_unpublished(target, f"cannot be written ({error.strerror})")
    log.info("%s holds %d styles", printable(file), card.network.styles)
    print(infer_command(file, style), flush=True)


def publish(file: Path, target: Target) -> Path:
    """The target with the file's content; the file itself where something else was written there meanwhile."""
    if sha256_of(target.path) != target.before:
        warn_unpublished(target, "was written by something else meanwhile")
        return file
    with atomic_write(target.path) as temporary:
        shutil.copyfile(file, temporary)
    return target.path


def warn_unpublished(target: Target, reason: str) -> None:
    log.warning("the style file stays in its run folder: %s %s", printable(target.path), reason)
