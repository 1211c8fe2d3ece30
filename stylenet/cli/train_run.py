"""One run of `stylenet train`, from composed settings to its report."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stylenet.cli.command import quieten
from stylenet.cli.train_arguments import name_of
from stylenet.cli.train_compose import for_device
from stylenet.disk import find_painting
from stylenet.errors import UserError

log = logging.getLogger(__name__)

UNUSED = {  # settings that runs on many paintings, or on a further one, do not have
    "styles": r"style\.(title|artist|year|died|source|license)|network\.black",
    "add_to": r"style\.suffix|network(\..*)?|init",
}


def run_once(compose: Callable[[Sequence[str]], Any], overrides: Sequence[str]) -> int:
    """One run, or the rest of one; returns its exit code."""
    from omegaconf import OmegaConf

    from stylenet.training.limits import check_empty, check_values

    composed, start = compose(overrides), None
    check_empty(composed)
    if composed.resume:
        from stylenet.cli.resumption import resume_settings

        composed, start = resume_settings(composed, overrides)
        log.info("resume: continues %s", start.folder)
    else:
        check_paintings(composed, overrides)
        typed: Any = OmegaConf.to_object(composed)
        check_values(typed)
        composed = for_device(compose, overrides)
        composed.style.image = typed.style.image
    from stylenet.training.run import run  # after the checks above: Lightning takes seconds to import

    quieten()
    settings: Any = OmegaConf.to_object(composed)
    values: Any = OmegaConf.to_container(composed)
    code = run(settings, values, start)
    report_run()
    return code


def report_run() -> None:
    """Writes the report of the run that has just ended into its folder. A run counts also where that fails."""
    from stylenet.report import write_report
    from stylenet.training.loggers import run_folders

    try:
        write_report(run_folders[-1])
    except UserError as error:
        log.warning("%s", error)


def check_paintings(composed: Any, overrides: Sequence[str]) -> None:
    """Raises `UserError` for settings that the run's kind has no use for, rather than ignore them.

    Where paintings come in a folder, the one painting's file becomes an empty text.
    """
    from stylenet.training.limits import check_subject

    names = [name_of(override) for override in overrides]
    if "style.image" in names and any(name_of(each) == "style" and not each.endswith("=own") for each in overrides):
        raise UserError("style=NAME has its own painting, and a card about it: without it, style.image= names another")
    if composed.styles:
        other = [each for each in overrides if name_of(each) in ("style", "style.image", "add_to")]
        if other:
            raise UserError(f"styles={composed.styles} trains on all paintings of a folder and excludes {other[0]}")
        composed.style.image = ""
    check_subject(composed)
    if not composed.styles:
        find_painting(composed.style.image)
    for kind, unused in UNUSED.items():
        if composed[kind] and (found := next(filter(re.compile(unused).fullmatch, names), None)):
            raise UserError(f"{found} has no effect with {kind}=")


def follow_run(folder: Path, checkpoint: Path | None) -> int:
    """A further process of a run on several devices, whose settings are in the run's folder."""
    from stylenet.training.run import run_worker

    quieten()
    return run_worker(folder, checkpoint).exit_code
