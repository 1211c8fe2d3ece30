"""The files that a run reads, recorded in its folder: so it can be resumed elsewhere, and after they were moved."""

import json
import shutil
from collections.abc import Mapping
from copy import deepcopy
from operator import attrgetter
from os.path import isfile
from pathlib import Path
from typing import Any

from stylenet.disk import atomic_write, find_file, home_expanded
from stylenet.models.catalog import styles
from stylenet.training.run_folder import SETTINGS, read_settings, write_whole
from stylenet.training.settings import Settings

FILES = "files.json"
MOVED = {"data.path", "loss_network.weights", "add_to"}  # settings whose files may be elsewhere when a run is resumed


def keep_inputs(folder: Path, settings: Settings) -> None:
    """Copies the painting into the run folder, and records the absolute path of everything else that the run reads.

    So the run can be resumed from another folder, and when its painting was moved or renamed. Before `config.yaml` is
    written: with `resume=`, what differs from it was given anew and is recorded no more.
    """
    if (folder / FILES).exists():  # as the run began
        files, anew = read_files(folder), given_anew(settings, folder)
        if files.keys() & anew:
            write_files(folder, {name: path for name, path in files.items() if name not in anew})
        return
    paths: dict[str, str | None] = {"data.path": settings.data.path}
    paths |= {"loss_network.weights": settings.loss_network.weights, "init": settings.init}
    paths |= {"styles": settings.styles, "add_to": settings.add_to}
    found = {name: home_expanded(path).absolute() for name, path in paths.items() if path and not is_name(name, path)}
    write_files(folder, {name: str(path) for name, path in found.items() if can_be(name, path)})
    if painting := find_file(settings.style.image):
        keep_painting(folder, painting)


def keep_painting(folder: Path, painting: Path) -> None:
    """Copies the painting into the run folder, unless that has one."""
    files = read_files(folder)
    if "style.image" not in files:
        copy = f"painting{painting.suffix}"
        with atomic_write(folder / copy) as temporary:
            shutil.copyfile(painting, temporary)
        write_files(folder, {**files, "style.image": copy})


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    write_whole(folder / FILES, json.dumps(files, indent=1) + "\n")  # in ASCII: a name need not be UTF-8


def absolute_file(setting: str, text: str | None) -> str | None:
    """What a setting names, as an absolute path if that is a file or folder here."""
    if text is None or is_name(setting, text):
        return text
    path = home_expanded(text).absolute()
    return str(path) if can_be(setting, path) else text


def given_anew(settings: Settings, folder: Path) -> set[str]:
    """The settings whose files may have been moved, and which are others than those in the run's `config.yaml`."""
    if not (folder / SETTINGS).exists():  # a folder that is no run's
        return set()
    before = read_settings(folder)

    def recorded(name: str) -> Any:
        part, _, last = name.rpartition(".")
        return (before.get(part) or {} if part else before).get(last)

    return {name for name in MOVED if attrgetter(name)(settings) != recorded(name)}


def read_files(folder: Path) -> dict[str, str]:
    """The files that a run reads, by setting; a relative path is inside the run folder. Empty for older runs."""
    try:
        return {str(name): str(path) for name, path in json.loads((folder / FILES).read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def with_recorded_files(settings: Settings, folder: Path) -> Settings:
    """The settings with the recorded files, where they still exist, in place of the paths that were typed."""
    found, anew = deepcopy(settings), given_anew(settings, folder)
    for name, path in read_files(folder).items():
        if name in anew:
            continue
        part, _, last = name.rpartition(".")
        moved = name == "styles" and Path(found.styles or "").is_dir()  # typed again where the paintings are now
        if can_be(name, folder / path) and not moved:
            setattr(getattr(found, part) if part else found, last, str((folder / path).absolute()))
    return found


def is_name(setting: str, text: str) -> bool:
    """Whether a setting is a key word or the name of a style, which come before files that are called so."""
    names = tuple(styles())
    words = {"loss_network.weights": ("auto", "torchvision"), "init": ("auto", *names), "add_to": names}
    known = words.get(setting, ())
    return text in known or text.rpartition("#")[0] in known


def can_be(setting: str, path: Path) -> bool:
    """Whether a setting can mean what is at the path: a file, or the folder of photos or paintings.

    A file may have the name of one style of many behind it, as in `mine.safetensors#wave`.
    """
    if setting in ("data.path", "styles"):
        return path.exists()
    return isfile(path) or (setting == "init" and isfile(str(path).rpartition("#")[0]))
