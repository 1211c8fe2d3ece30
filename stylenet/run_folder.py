"""The folder of one training run, `outputs/<style>/<time>/`, and the shelf where `infer.py` looks for styles."""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from stylenet.disk import written_aside
from stylenet.errors import UserError

OUTPUTS, SHELF = Path("outputs"), Path("checkpoints")


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


def find_checkpoint(resume: str, style: str) -> Path:
    """The checkpoint to go on from: a file in a run folder, or the style's newest for `auto`."""
    found = [Path(resume)] if resume != "auto" else list((OUTPUTS / style).glob("*/last.ckpt"))
    found = sorted((path for path in found if path.is_file()), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError(f"resume: no checkpoint at {OUTPUTS / style if resume == 'auto' else resume}")
    return found[-1]


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """The composed settings, as `config.yaml`."""
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def settings_digest(settings: Mapping[str, Any]) -> str:
    """A hash of all settings that can change the network."""
    telling = {name: value for name, value in settings.items() if name not in ("logger", "replace", "resume")}
    return hashlib.sha256(json.dumps(telling, sort_keys=True).encode()).hexdigest()


def read_settings(folder: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load((folder / "config.yaml").read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"resume: {folder} is no run folder: its config.yaml cannot be read") from error
    return dict(values)


def write_decisions(folder: Path, decisions: dict[str, Any]) -> None:
    """Steps, precision, and the hashes of what the run learns from: a resumed run must not differ."""
    (folder / "decisions.json").write_text(json.dumps(decisions, indent=1) + "\n")


def read_decisions(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "decisions.json").read_text()))
    except (OSError, ValueError) as error:
        raise UserError(f"resume: {folder} is no run folder: its decisions.json cannot be read") from error


def shelve(style_file: Path, name: str, replace: bool) -> Path | None:
    """Puts a copy of the style file where `-s NAME` finds it; nothing when another is there and may not be replaced."""
    place = SHELF / f"{name}{style_file.suffix}"
    if place.exists() and not replace:
        return None
    with written_aside(place) as aside:
        shutil.copyfile(style_file, aside)
    return place
