"""The folder of one training run, `outputs/<style>/<time>/`: its files, its lock, its recorded settings."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from stylenet import disk
from stylenet.disk import LONGEST_NAME, atomic_write, plain_name, printable, refusal
from stylenet.errors import UserError
from stylenet.models.catalog import CHECKPOINTS
from stylenet.models.limits import SUFFIX
from stylenet.training.settings import upgrade_settings

OUTPUTS = Path("outputs")
SETTINGS, RESOLVED, LOCK = "config.yaml", "resolved.json", ".lock"
OLD_RESOLVED = "decisions.json"  # the name of resolved.json in older runs
EXTENDED = "network to add to"  # in resolved.json: the hash of that file
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


def style_name(image: str, name: str | None, suffix: str) -> str:
    """The name of a run's style: the one given, or else the painting's, with the network's suffix."""
    return (name or plain_name(image)) + suffix


def style_place(name: str, folder: Path = CHECKPOINTS) -> Path:
    """The style file of this name. Raises `UserError` for a name that no file can have, before any training."""
    file = f"{name}{SUFFIX}"
    if len(os.fsencode(file)) > LONGEST_NAME:
        raise UserError(f"the style file cannot be called {printable(file)}: too long; style.name= gives another name")
    return folder / file


def new_run_folder(style: str) -> Path:
    """Creates a folder that no other run has, also when two start within a second."""
    start = OUTPUTS / style / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    try:
        start.parent.mkdir(parents=True, exist_ok=True)  # not below: a dangling link "exists", whatever is tried
        for number in count(1):
            folder = start if number == 1 else start.with_name(f"{start.name}_{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise UserError(f"the run folder {start} cannot be created: {error.strerror}") from error
    raise AssertionError


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Locks the folder for this run, so that two never write into one. Raises `UserError`.

    A killed run's lock ends with it; the partial files that it left are removed.
    """
    with disk.file_lock(folder / LOCK, f"resume: the run in {printable(folder)} is still running"):
        for part in folder.glob(".*.part"):
            part.unlink()
        yield


def is_going(folder: Path) -> bool:
    """Whether a process has locked the folder."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except (NotImplementedError, OSError):
        return False


@contextmanager
def disk_errors(place: str | Path = "the disk") -> Iterator[None]:
    """Turns the system's refusals (a full disk, a folder without permission) into one line. Raises `UserError`.

    `place` is named where the system names no file.
    """
    try:
        yield
    except BrokenPipeError:  # the reader of the output has gone
        raise
    except OSError as error:
        if error.errno is None:  # a library's own, not the system's
            raise
        raise UserError(refusal(error, place)) from error


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """The composed settings, as `config.yaml`."""
    write_whole(folder / SETTINGS, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


UNSET = ("styles", "add_to", "patience")  # settings later than 0.1.0, left out of the hash while they are not set


def settings_digest(settings: Mapping[str, Any]) -> str:
    """A hash of all settings that can change the network."""
    telling = {
        name: value
        for name, value in upgrade_settings(settings).items()
        if name not in ("logger", "replace", "resume", "objective")
    }
    telling = {name: value for name, value in telling.items() if name not in UNSET or value is not None}
    if telling.get("network", {}).get("architecture") == "transformer":  # as in runs before there was a choice
        telling["network"] = {name: value for name, value in telling["network"].items() if name != "architecture"}
    return hashlib.sha256(json.dumps(telling, sort_keys=True).encode()).hexdigest()


def read_settings(folder: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load((folder / SETTINGS).read_text(encoding="utf-8"))
        return upgrade_settings(dict(values))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"resume: {folder} is not a run folder: its config.yaml cannot be read") from error


def write_resolved(folder: Path, resolved: dict[str, Any]) -> None:
    """Writes the steps, the precision, and the hashes of the run's inputs, in which a resumed run must not differ.

    From then on the run can be resumed.
    """
    write_whole(folder / RESOLVED, json.dumps(resolved, indent=1) + "\n")


def write_whole(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def resolved_file(folder: Path) -> Path:
    """The file of the resolved values of a run, which need not exist."""
    return next((folder / name for name in (RESOLVED, OLD_RESOLVED) if (folder / name).exists()), folder / RESOLVED)


def begun_runs() -> list[Path]:
    """The folders of all runs that can be resumed."""
    return sorted({path.parent for name in (RESOLVED, OLD_RESOLVED) for path in OUTPUTS.glob(f"*/*/{name}")})


def read_resolved(folder: Path) -> dict[str, Any]:
    """What `write_resolved` wrote. Raises `UserError` where it is missing or damaged."""
    try:
        return dict(json.loads(resolved_file(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"resume: {folder} is not a run folder: its resolved.json cannot be read") from error
