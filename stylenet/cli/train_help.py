"""`stylenet train --help`, made from the YAML files in `configs/`, without Hydra."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from stylenet.cli.command import typed_program
from stylenet.training.settings import CONFIGS, MISSING, Settings

COMMENT = re.compile(r"    (\w+): .*  # (.*)")  # a field of a dataclass
COLUMN = 50  # of the explanations
HIDDEN = {("logger", "use")}  # classes that the presets name

HELP = """\
Trains a network on one painting:

  {program} style=starry
  {program} style.image="my painting (1).jpg" minutes=30

Presets, as in GROUP=PRESET (configs/GROUP/PRESET.yaml):

{groups}

Settings and their defaults, as in NAME=VALUE or GROUP.NAME=VALUE:

{settings}

Other forms:

  {program} -m style=starry,wave     one run for each combination of the listed values
  {program} style=wave --cfg job     print the settings of a run and train nothing
  {program} styles=DIR               one network of many styles, from a folder of paintings
  {program} style=wave add_to=FILE   a further style for a network of many
  {program} resume=auto              resume the newest run that was stopped
"""


def help_text() -> str:
    """The presets of each group, and every setting with its default and its comment in the code."""
    groups = "\n".join(
        f"{folder.name}: {', '.join(sorted(file.stem for file in folder.glob('*.yaml')))}"
        for folder in sorted(CONFIGS.iterdir())
        if folder.is_dir() and not folder.name.startswith("_")
    )
    settings = "\n".join(lines_of(default_settings(), Settings()))
    return HELP.format(program=typed_program(), groups=groups, settings=settings)


def lines_of(values: Mapping[str, Any], fields: Any, group: str = "") -> Iterator[str]:
    """A line for each setting, those of a group below its name; `fields` is the dataclass that has them."""
    comments = dict(COMMENT.findall(inspect.getsource(type(fields)))) if is_dataclass(fields) else {}
    indent = "  " if group else ""
    for name, value in values.items():
        if isinstance(value, Mapping) and not group:
            yield f"{name}:"
            yield from lines_of(value, getattr(fields, name), name)
        elif (group, name) not in HIDDEN:
            line = f"{indent}{name}: {yaml_line(value)}"
            yield f"{line:{COLUMN}}  {comments[name]}" if name in comments else line


def yaml_line(value: Any) -> str:
    """A value in one line of YAML."""
    if value == MISSING:
        return "(required)"
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()


def default_settings() -> dict[str, Any]:
    """The settings of a run without any arguments, on a CPU: those that Hydra composes."""
    values = asdict(Settings())
    own = read(CONFIGS / "train.yaml")
    for group, preset in chosen_presets(own.pop("defaults")):
        file = CONFIGS / group / f"{preset}.yaml"
        for_all = file.read_text(encoding="utf-8").startswith("# @package _global_")
        merge(values, read(file) if for_all else {group: read(file)})
    merge(values, {name: value for name, value in own.items() if name != "hydra"})
    return values


def chosen_presets(defaults: list[Any]) -> Iterator[tuple[str, str]]:
    """The groups of a list of defaults, and their presets."""
    for group, preset in (pair for entry in defaults if isinstance(entry, dict) for pair in entry.items()):
        if preset and not group.startswith("override"):
            yield group, preset


def read(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")) or {})


def merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Sets the values in nested dictionaries, as Hydra does."""
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value
