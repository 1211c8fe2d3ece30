"""The types of a run's settings as Python gives them: Hydra checks those of the command line itself."""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from stylenet.errors import UserError
from stylenet.training.settings import MISSING, Settings

WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "True or False",
    list: "a list",
    dict: "a dict",
    type(None): "None",
}


def check_names(given: Collection[str]) -> None:
    """Raises `UserError` for a setting that does not exist."""
    known = [field.name for field in fields(Settings)]
    for name in given:
        if name not in known:
            nearest = get_close_matches(name, known) or known
            raise UserError(f"there is no setting {name}; there is: {', '.join(nearest)}")


def check_types(settings: Any, group: str = "") -> None:
    """Raises `UserError` for a value of another type than its setting's, in groups of settings as well."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if value != MISSING and not suits(value, kind):
            raise UserError(f"{group}{name} must be {type_words(kind)}, got {value!r}")
        if is_dataclass(kind):
            check_types(value, f"{group}{name}.")


def suits(value: object, kind: Any) -> bool:
    """Whether a value has the type. True and False are no numbers here."""
    if kind is Any:
        return True
    if isinstance(kind, UnionType):
        return any(suits(value, each) for each in get_args(kind))
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    if not isinstance(value, get_origin(kind) or kind):
        return False
    values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return all(suits(each, get_args(kind)[-1]) for each in values)


def type_words(kind: Any) -> str:
    """The words for a type."""
    if isinstance(kind, UnionType):
        return " or ".join(map(type_words, get_args(kind)))
    plain = get_origin(kind) or kind
    return WORDS.get(plain) or f"of the class {plain.__module__}.{plain.__name__}"
