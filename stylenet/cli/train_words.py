"""The words behind `stylenet train`, before Hydra reads them: what is no setting is said in one line."""

from collections.abc import Sequence
from itertools import pairwise

from stylenet.cli.train_arguments import is_setting, name_of
from stylenet.disk import find_file, printable, shipped_files
from stylenet.errors import UserError

# Hydra's own options. Behind those with a value, the next word is that.
WITH_VALUE = ["--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"]
WITH_VALUE += ["--info", "-i", "--experimental-rerun"]
OPTIONS = [*WITH_VALUE, "--resolve", "--run", "-r", "--multirun", "-m", "--shell-completion", "-sc"]
OPTIONS += ["--hydra-help", "--version"]


def check_words(words: Sequence[str]) -> None:
    """Raises `UserError` for a word that is neither a setting nor an option, and for a preset that is no name."""
    for before, word in pairwise(["", *words]):
        if is_setting(word):
            check_preset(name_of(word), word.partition("=")[2])
        elif word.startswith("-"):
            check_option(word)
        elif before not in WITH_VALUE and not word.startswith("~"):  # with which Hydra leaves a setting out
            raise UserError(f"{printable(word)} is no setting: {suggest_setting(word)}")


def check_option(word: str) -> None:
    name = word.partition("=")[0]
    if name in OPTIONS:
        return
    if "=" in word:
        raise UserError(f"settings have no dashes: {printable(word.lstrip('-'))}")
    raise UserError(f"there is no option {printable(word)} (see --help)")


def check_preset(name: str, value: str) -> None:
    choices = presets().get(name)
    if choices and value in ("", "null"):
        raise UserError(f"{name} must be one of {', '.join(choices)}, got {value or 'nothing'}")


def presets() -> dict[str, list[str]]:
    """The groups of settings with presets in `configs/`, and the names of these."""
    found: dict[str, list[str]] = {}
    for file in sorted((shipped_files() / "configs").glob("*/*.yaml")):
        found.setdefault(file.parent.name, []).append(file.stem)
    return found


def suggest_setting(word: str) -> str:
    """The setting that a word alone may stand for."""
    groups = [group for group, names in presets().items() if word in names]
    setting = f"{groups[0]}={word}" if groups else f"style.image={printable(word)}" if find_file(word) else ""
    return f"{setting}?" if setting else "settings are NAME=VALUE, as in style=starry"
