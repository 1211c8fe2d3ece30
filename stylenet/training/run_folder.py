"""The folder of one training run, `outputs/<style>/<time>/`, and the shelf where `infer.py` looks for styles."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from stylenet.disk import shown, written_aside
from stylenet.errors import UserError
from stylenet.training.settings import upgraded

OUTPUTS, SHELF = Path("outputs"), Path("checkpoints")
SETTINGS, DECISIONS, LOCK = "config.yaml", "decisions.json", ".lock"
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


def style_name(image: str, name: str | None, suffix: str) -> str:
    """What a run's style is called: by its name, or else after its painting."""
    return (name or plain_name(image)) + suffix


def plain_name(image: str) -> str:
    """A painting's file name with every sign that a shell might mind turned into a dash."""
    name = re.sub(r"[^\w.]+", "-", Path(image).stem).strip("-.")
    return name or "style"


def new_run_folder(style: str) -> Path:
    """A folder that no other run has, also when two start within a second."""
    start = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in count(1):
        folder = OUTPUTS / style / (start if number == 1 else f"{start}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"the run folder {folder} cannot be made: {error.strerror}") from error
        return folder
    raise AssertionError


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """The folder for this run alone, so that two never write into one. Raises `UserError`.

    A killed run's claim ends with it; what it left half-written is cleared away.
    """
    with ExitStack() as stack:
        try:
            with suppress(NotImplementedError):  # a file system without locks: some clusters have one
                stack.enter_context(FileLock(folder / LOCK, timeout=0))
        except Timeout as error:
            raise UserError(f"resume: the run in {shown(folder)} is still going") from error
        for part in folder.glob(".*.part"):
            part.unlink()
        yield


def is_going(folder: Path) -> bool:
    """Whether a process has claimed the folder."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except (NotImplementedError, OSError):
        return False


@contextmanager
def disk_errors(place: str | Path = "the disk") -> Iterator[None]:
    """Makes one line of what the system refuses: a full disk, a folder without permission.

    `place` is named where the system names none. Raises `UserError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a library's own, not the system's
            raise
        raise UserError(f"{shown(str(error.filename or place))} cannot be used: {error.strerror}") from error


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """The composed settings, as `config.yaml`."""
    write_whole(folder / SETTINGS, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def settings_digest(settings: Mapping[str, Any]) -> str:
    """A hash of all settings that can change the network."""
    telling = {name: value for name, value in settings.items() if name not in ("logger", "replace", "resume")}
    if telling.get("network", {}).get("architecture") == "transformer":  # as in runs before there was a choice
        telling["network"] = {name: value for name, value in telling["network"].items() if name != "architecture"}
    return hashlib.sha256(json.dumps(telling, sort_keys=True).encode()).hexdigest()


def read_settings(folder: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load((folder / SETTINGS).read_text(encoding="utf-8"))
        return upgraded(dict(values))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"resume: {folder} is no run folder: its config.yaml cannot be read") from error


def write_decisions(folder: Path, decisions: dict[str, Any]) -> None:
    """Steps, precision, and the hashes of what the run learns from: a resumed run must not differ.

    From then on the run can be resumed.
    """
    write_whole(folder / DECISIONS, json.dumps(decisions, indent=1) + "\n")


def write_whole(path: Path, text: str) -> None:
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def read_decisions(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / DECISIONS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"resume: {folder} is no run folder: its decisions.json cannot be read") from error


def shelve(style_file: Path, name: str, replace: bool) -> Path | None:
    """Puts a copy of the style file where `-s NAME` finds it; nothing when another is there and may not be replaced."""
    place = SHELF / f"{name}{style_file.suffix}"
    if place.exists() and not replace:
        return None
    with written_aside(place) as aside:
        shutil.copyfile(style_file, aside)
    return place
