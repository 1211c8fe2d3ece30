"""`resume=…`: the settings of the run that is continued, and what the command line may say beside it."""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from stylenet.cli.train_arguments import name_of
from stylenet.disk import file_sha256, find_painting, plain_name, printable
from stylenet.errors import UserError
from stylenet.training.recorded_files import MOVED, absolute_file
from stylenet.training.resume import Start, Wanted, find_start
from stylenet.training.resumed_settings import check_painting
from stylenet.training.run_folder import read_settings
from stylenet.training.settings import Settings

PAINTING = ("style", "style.image")


def resume_settings(composed: Any, overrides: Sequence[str]) -> tuple[Any, Start]:
    """The recorded settings, and where to go on. Raises `UserError` for a setting that would have no effect."""
    given = {name_of(override): override for override in overrides}
    file = find_painting(composed.style.image) if given.keys() & set(PAINTING) else None
    start = find_start(composed.resume, wanted_run(composed, given.keys(), file))
    check_given(given, composed.resume == "auto")
    if file:
        check_painting(file, start.folder, composed.style.image)
    found = recorded_settings(start.folder, replace=composed.replace)
    for name, kind in (("styles", "on a folder of paintings"), ("add_to", "on a further painting")):
        if composed[name] and not found[name]:
            raise UserError(f"resume: the run in {printable(start.folder)} is not {kind}")
    for name in given:
        if is_of_trackers(name):
            OmegaConf.update(found, name, OmegaConf.select(composed, name), merge=name != "logger")
    for name in MOVED & given.keys():
        OmegaConf.update(found, name, absolute_file(name, OmegaConf.select(composed, name)))
    found.styles = composed.styles or found.styles  # the paintings may have been moved
    return found, start


def wanted_run(composed: Any, given: Set[str], file: Path | None) -> Wanted:
    """What the settings that are given say of the run to look for; `file` is its painting."""
    suffix = composed.style.suffix if "network" in given else None
    many = (composed.styles, composed.add_to) if given & {*PAINTING, "styles", "add_to"} else None
    wanted = Wanted(suffix=suffix, many=many)
    return wanted._replace(name=base_name(composed), painting_sha256=file_sha256(file)) if file else wanted


def check_given(given: Mapping[str, str], searched: bool) -> None:
    """Raises `UserError` for a setting that the recorded ones would hide; `searched`: the run is looked for."""
    allowed = {"resume", "replace", "styles", *MOVED, *PAINTING, *(["network"] if searched else [])}
    for name, override in given.items():
        if name not in allowed and not is_of_trackers(name):
            raise UserError(f"resume uses the settings of that run, so {override} cannot be set")


def is_of_trackers(name: str) -> bool:
    """Whether a setting is about trackers, which may be other ones for the rest of a run."""
    return name.partition(".")[0] == "logger"


def base_name(composed: Any) -> str:
    return composed.style.name or plain_name(composed.style.image)


def recorded_settings(folder: Path, **changed: bool) -> Any:
    """The settings in a run folder."""
    return OmegaConf.merge(OmegaConf.structured(Settings), read_settings(folder), changed)
