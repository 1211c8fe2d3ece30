"""Finds the run to resume, and the checkpoint to resume it from."""

import logging
import os
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from stylenet.disk import file_sha256, home_expanded, plain_name, printable
from stylenet.errors import UserError
from stylenet.models.catalog import find_reference
from stylenet.models.limits import SUFFIX
from stylenet.models.style_file import Card, read_card
from stylenet.training.run_folder import (
    EXTENDED,
    LAST,
    OUTPUTS,
    PREVIOUS,
    begun_runs,
    is_going,
    read_resolved,
    read_settings,
    resolved_file,
)

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """A run's folder, and the checkpoint to continue from; without one, the run starts again from its beginning."""

    folder: Path
    checkpoint: Path | None


class Wanted(NamedTuple):
    """The runs that `resume=auto` chooses among: of a painting, by name or hash, and of a network; None is any.

    `many` are the settings `styles` and `add_to`.
    """

    name: str | None = None
    painting_sha256: str | None = None
    suffix: str | None = None
    many: tuple[str | None, str | None] | None = None

    def __str__(self) -> str:
        styles, add_to = self.many or (None, None)
        of = styles or self.name
        name = f" of {printable(of)}{self.suffix or ''}" if of else self.suffix or ""
        return f"{name} with add_to={printable(add_to)}" if add_to else name


def find_start(resume: str, wanted: Wanted) -> Start:
    """The newest whole checkpoint of a run: of `newest_run` for `auto`, else of a run folder or a checkpoint.

    Raises `UserError`.
    """
    path = newest_run(wanted) if resume == "auto" else home_expanded(resume)
    if path.is_dir():
        return Start(path, newest_whole(path))
    if path.name == LAST and resolved_file(path.parent).is_file():
        return Start(path.parent, newest_whole(path.parent))
    if not path.is_file():
        raise UserError(f"resume: no checkpoint at {printable(path)}")
    return Start(path.parent, path)


def newest_run(wanted: Wanted) -> Path:
    """The folder of the run to resume: of the wanted painting itself, else of one of its name, the last to be active.

    Runs that are active in a process are left alone. One that is finished is taken where none was stopped: it may have
    been killed before its style file was in `checkpoints/`.
    """
    found = {folder: match for folder in begun_runs() if (match := match_quality(folder, wanted))}
    ended = [folder for folder in found if not is_going(folder)]
    if not ended:
        still = f" ({len(found)} still running)" if found else ""
        raise UserError(f"resume: no run{wanted} in {printable(OUTPUTS)}{still}{others()}")
    run = max(ended, key=lambda folder: (found[folder], not is_finished(folder), last_sign_of_life(folder)))
    if is_finished(run):
        log.info("resume: no run%s was stopped; the newest that is finished is taken", wanted)
    return run


def is_finished(folder: Path) -> bool:
    """Whether a run came to its end: its style file has the figures on held-out photos then."""
    return finished_steps(folder) is not None


def finished_steps(folder: Path) -> int | None:
    """The steps of a finished run, fewer than planned where it was stopped early; None of any other."""
    for file in folder.glob(f"*{SUFFIX}"):
        if has_figures(file):
            return steps_of(read_card(file))
    return None


def steps_of(card: Card) -> int:
    """The steps of the run that wrote a card: of a style that was added, its own."""
    added = (card.facts.get("styles") or [{}])[-1].get("training")
    return int((added or card.facts)["training"]["steps"])


def has_figures(file: Path) -> bool:
    try:
        return bool(read_card(file).facts.get("held_out"))
    except UserError:
        return False


def match_quality(folder: Path, wanted: Wanted) -> int:
    """How well a run suits: 2 where it is of the very painting that is wanted, 1 by its name alone, 0 not at all."""
    try:
        settings, inputs = read_settings(folder), read_resolved(folder).get("inputs") or {}
        style, many = settings.get("style") or {}, (settings.get("styles"), settings.get("add_to"))
        name = style.get("name") or plain_name(style["image"])
    except (UserError, AttributeError, KeyError, TypeError):  # a run that cannot be read is known by its folder
        style, inputs, many, name = {}, {}, (None, None), folder.parent.name
    same_suffix = wanted.suffix is None or (style.get("suffix") or "") == wanted.suffix
    same_file = wanted.painting_sha256 is not None and wanted.painting_sha256 == inputs.get("painting")
    if wanted.many and not is_same_many(wanted.many, many, inputs.get(EXTENDED)):
        return 0
    return int(same_suffix) * (2 if same_file else int(wanted.name in (None, name)))


def is_same_many(
    wanted: tuple[str | None, str | None], found: tuple[str | None, str | None], extended: str | None
) -> bool:
    """Whether two pairs of `styles` and `add_to` are the same; `extended` is the hash of the file that was added to."""
    styles, add_to = wanted
    if not is_same_place(styles, found[0]):
        return False
    if is_same_place(add_to, found[1]):
        return True
    moved = place_of(add_to) if add_to and extended else ""
    return os.path.isfile(moved) and file_sha256(Path(moved)) == extended


def is_same_place(one: str | None, other: str | None) -> bool:
    """Whether two settings mean one file or folder, or none, however they were typed."""
    return one == other or (bool(one and other) and place_of(str(one)) == place_of(str(other)))


def place_of(text: str) -> str:
    """The file or folder that a setting means: a style by its name too."""
    try:
        return os.path.realpath(find_reference(text).file)
    except UserError:
        return os.path.realpath(home_expanded(text))


def others() -> str:
    """The styles that have runs, for an error message."""
    names = sorted({folder.parent.name for folder in begun_runs()})
    return f"; there are runs of: {', '.join(map(printable, names))}" if names else ""


def last_sign_of_life(folder: Path) -> float:
    """When the run began, or wrote its last checkpoint."""
    signs = [resolved_file(folder), folder / LAST, folder / PREVIOUS]
    return max(path.stat().st_mtime for path in signs if path.exists())


def newest_whole(folder: Path) -> Path | None:
    """The run's last checkpoint, or the one before it where the last is corrupt; None where neither is whole."""
    for path in (folder / LAST, folder / PREVIOUS):
        if is_whole(path):
            return path
        if path.exists():
            log.warning("%s is corrupt and will not be used", printable(path))
    return None


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is complete: it is a zip archive, whose check sums torch does not verify."""
    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # zipfile raises almost anything on mutilated files
        return False


def steps_done(checkpoint: Path | None) -> int:
    """The number of steps that a checkpoint stands for. Raises `UserError` for another kind of file."""
    if checkpoint is None:
        return 0
    import torch

    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:  # a strange archive can raise anything
        raise UserError(f"resume: {printable(checkpoint)} is not a checkpoint of a run") from error
