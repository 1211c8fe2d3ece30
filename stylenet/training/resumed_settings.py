"""The settings of a run that is resumed: the recorded ones. Whatever is asked for beside them must not differ."""

from dataclasses import asdict, is_dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from stylenet.disk import file_sha256, find_file, find_painting
from stylenet.errors import UserError
from stylenet.training.recorded_files import keep_painting
from stylenet.training.run_folder import read_resolved, read_settings
from stylenet.training.settings import MISSING, Length, Settings, style_settings, upgrade_settings

FREE = ("replace", "resume")  # which change nothing of what is learned


def resumed_settings(folder: Path, asked: Settings | str | PathLike[str] | None, changes: dict[str, Any]) -> Settings:
    """The settings in a run folder, as they were recorded.

    `asked` and `changes` are as `stylenet.train` takes them. Raises `UserError` where they differ from those recorded:
    they would have no effect.
    """
    recorded = recorded_settings(folder)
    if asked is None:
        asked = recorded
    if not isinstance(asked, Settings):
        asked = replace(recorded, style=replace(recorded.style, image=style_settings(asked).image))
    asked = replace(asked, **changes)
    check_same_painting(asked.style.image, recorded.style.image, folder)
    before, now = upgrade_settings(asdict(recorded)), upgrade_settings(asdict(asked))
    before["style"]["image"] = now["style"]["image"]
    for name in now:
        if name not in FREE and now[name] not in (before[name], MISSING, asdict(Length())):
            raise UserError(f"resume uses the settings of that run, so {name} cannot be set")
    return replace(recorded, replace=asked.replace)


def recorded_settings(folder: Path) -> Settings:
    """The settings in a run folder. Raises `UserError` where they cannot be read."""
    known = Settings()
    try:
        return replace(known, **{name: value_of(known, name, value) for name, value in read_settings(folder).items()})
    except (AttributeError, TypeError) as error:
        raise UserError(f"resume: {folder} is not a run folder: its config.yaml has other settings") from error


def value_of(known: Settings, name: str, value: Any) -> Any:
    """A setting as `Settings` has it: a group of settings as its dataclass."""
    group = getattr(known, name)
    make: Any = type(group)
    return make(**{**vars(group), **value}) if is_dataclass(group) else value


def check_same_painting(image: str, recorded: str, folder: Path) -> None:
    """Raises `UserError` where a painting is not the run's. The run's own may have vanished: the folder has a copy."""
    if image != recorded or find_file(image):  # which is the run's own, and may have vanished
        check_painting(find_painting(image), folder, image)


def check_painting(file: Path, folder: Path, typed: str) -> None:
    """Raises `UserError` where the painting that was typed is not the run's."""
    if file_sha256(file) != read_resolved(folder).get("inputs", {}).get("painting"):
        raise UserError(
            f"resume: the painting changed since the run in {folder} began: {typed} is another image; "
            "leave style and style.image out to continue with the run's own painting"
        )
    keep_painting(folder, file)  # a run begun by an older version has no copy of its own
