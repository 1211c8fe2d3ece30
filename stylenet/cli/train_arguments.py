"""The settings of `stylenet train` in Hydra's grammar, and Hydra's errors in one line."""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from stylenet.disk import home_expanded

PATHS = re.compile(r"(\+*(?:style\.image|data\.path|loss_network\.weights|init|resume|styles|add_to))=(.*)", re.DOTALL)
TEXTS = re.compile(r"(\+*style\.(?:name|title|artist|year|source|license))=(.*)", re.DOTALL)
IN_QUOTES = re.compile(r"""'([^'\\]|\\.)*'|"([^"\\]|\\.)*\"""", re.DOTALL)
SWEEPS = re.compile(r"(choice|range|interval|glob|tag|shuffle|sort|extend_list)\(.*\)", re.DOTALL)
SETTINGS_ERRORS = (HydraException, OmegaConfBaseException)
NOISE = ("full_key:", "object_type=", "reference_type=", "Config search path:", "provider=", "To append to your config")
SWEEP = ("-m", "--multirun")


def is_setting(argument: str) -> bool:
    """Whether an argument is `NAME=VALUE`, and no option such as `--cfg`."""
    return "=" in argument and not argument.startswith("-")


def name_of(setting: str) -> str:
    """The name in `NAME=VALUE`, without Hydra's prefixes."""
    return setting.partition("=")[0].lstrip("+~")


def in_grammar(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra reads them: see `quote`."""
    return [quote(argument, sweep=any(flag in arguments for flag in SWEEP)) for argument in arguments]


def quote(argument: str, sweep: bool = False) -> str:
    """One argument in Hydra's grammar.

    Paths are quoted, so that any file name works (spaces, brackets, commas, … break the grammar). In a sweep, commas
    separate several paths unless a file has the whole name. Texts about a painting are quoted as well, and each is one
    text, whatever is in it; a list may be given of names alone. Settings of Lightning's Trainer may be new keys.
    """
    if argument.startswith(("trainer.", "loss.weights.")):  # which may be new keys
        return f"++{argument}"
    if text := TEXTS.fullmatch(argument):
        listed = sweep and text[1].endswith("style.name") and not SWEEPS.fullmatch(text[2])
        return f"{text[1]}={','.join(map(quoted_text, text[2].split(',') if listed else [text[2]]))}"
    match = PATHS.fullmatch(argument)
    if not match or match[2] in ("", "null", "auto") or (SWEEPS.fullmatch(match[2]) and not Path(match[2]).exists()):
        return argument
    several = sweep and "," in match[2] and not home_expanded(match[2]).exists()
    values = match[2].split(",") if several else [match[2]]
    return f"{match[1]}={','.join(map(quoted_path, values))}"


def as_typed(setting: str) -> str:
    """A setting as the user types it: the inverse of `quote`."""
    without_prefix = re.sub(r"^\+\+(?=trainer\.|loss\.weights\.)", "", setting)
    return re.sub(r"='((?:[^'\\]|\\.)*)'$", lambda found: "=" + re.sub(r"\\(.)", r"\1", found[1]), without_prefix)


def quoted_path(path: str) -> str:
    """A path between quotation marks: Hydra wants \\' for ', and backslashes before it or before the end doubled."""
    if path in ("null", "auto"):
        return path
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (found[2] and "\\'"), path)
    return f"'{escaped.replace('${', chr(92) + '${')}'"


def quoted_text(text: str) -> str:
    """A text between quotation marks, unless it has them, so that `1e5` and `true` are texts as well."""
    as_it_is = text in ("", "null") or (SWEEPS.fullmatch(text) and "choice(" in text) or IN_QUOTES.fullmatch(text)
    return text if as_it_is else quoted_path(text)


def settings_error_line(error: Exception) -> str:
    """The error in one line, with the choices where Hydra lists them."""
    if "hydra/sweeper/optuna" in str(error):
        return "a search needs Optuna: pip install 'stylenet[sweep]'"
    if isinstance(error, MissingMandatoryValue) and "style.image" in str(error):
        return "no painting: style=NAME for one of configs/style/, or style.image=FILE for an image of yours"
    texts = [str(error)] + ([str(error.__cause__)] if isinstance(error.__cause__, OmegaConfBaseException) else [])
    lines = [line.strip().rstrip(".") for text in texts for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith(NOISE)]
    return ", ".join(dict.fromkeys(wanted)) + choices(error)


def choices(error: BaseException | None) -> str:
    """The names of the settings, where the error is about an unknown one."""
    while error is not None and not isinstance(error, ConfigKeyError | ConfigAttributeError):
        error = error.__cause__
    group = getattr(error, "object_type", None)
    if not (isinstance(group, type) and is_dataclass(group)):
        return ""
    return f"; settings there: {', '.join(field.name for field in fields(group))}"
