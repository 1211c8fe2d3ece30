"""Style files by name: in `checkpoints/` of the working directory, then the shipped ones. Imports nothing large."""

import json
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import atomic_write, home_expanded, printable, shipped_files, source_tree
from stylenet.errors import UserError
from stylenet.models import hub
from stylenet.models.limits import SUFFIX

SHIPPED, CHECKPOINTS = shipped_files() / "checkpoints", Path("checkpoints")
GALLERY = "gallery"  # the network of many styles that previews come from, and that short trainings start from
PREVIEW = "preview-"  # before the painting's name, in the names of previews
LONGEST_HEADER = 1_000_000  # bytes; a usual file has 12,000


def styles() -> dict[str, Path]:
    """The style files that have a name, in the order of their names."""
    folders = (SHIPPED, CHECKPOINTS)  # the latter last, so that it wins
    found = {path.stem: path for folder in folders for path in folder.glob(f"*{SUFFIX}")}
    return dict(sorted(found.items()))


def single_styles() -> dict[str, Path]:
    """The style files that hold one style each."""
    return {name: path for name, path in styles().items() if not holds_many(path)}


def style_choices() -> list[str]:
    """What `-s` takes, for messages: names of style files, and `gallery#…` for one that holds many styles."""
    return [f"{printable(name)}#…" if holds_many(path) else printable(name) for name, path in styles().items()]


def holds_many(file: Path) -> bool:
    """Whether a file holds many styles, by its card alone and without torch; of a file that is none, no."""
    return bool(names_inside(file))


def names_inside(file: Path) -> list[str]:
    """The styles in a file that holds many, by its card alone; of any other file, none."""
    try:
        if not file.is_file():  # a pipe would block
            return []
        with file.open("rb") as opened:
            header = json.loads(opened.read(min(int.from_bytes(opened.read(8), "little"), LONGEST_HEADER)))
        card = json.loads(header["__metadata__"]["stylenet"])
        many = card["network"].get("architecture") == "conditional"
        return [str(each["name"]) for each in card["styles"]] if many else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def result_names() -> set[str]:
    """What the results of all styles are named after: `wave`, and `gallery-wave` for one of many."""
    inside = {StyleReference(path, name).name for path in styles().values() for name in names_inside(path)}
    return {*styles(), *inside}


def find_style(style: str | os.PathLike[str]) -> Path:
    """The style file of a name, a path, or `hf:user/repo[@revision][/file]` on the hub.

    Raises `UserError`, which lists the styles there are.
    """
    if os.fspath(style).startswith(hub.PREFIX):
        return hub.fetch_style(hub.HubAddress.parse(os.fspath(style)))
    path, known = home_expanded(style), styles()
    if os.fspath(style) in known:
        return known[os.fspath(style)]
    if os.path.isfile(path):  # not path.is_file(), which fails on names that are too long, or may not be read
        return path
    if path.suffix == SUFFIX or path.name != os.fspath(style):
        raise UserError(f"there is no style file {printable(path)}")
    names = ", ".join(style_choices()) or "none yet: train one first"
    raise UserError(f"there is no style {printable(path)}; available: {names}")


@dataclass(frozen=True)
class StyleReference:
    """The place of a style: a file, and which of its styles where it holds many."""

    file: Path
    style: str | None = None

    @property
    def name(self) -> str:
        """The name for results: the file's, and behind it that of one style of many.

        The file's is in it, as `gallery#wave` and `wave` may be used on the same photos. A slash in the style's would
        name a folder.
        """
        file = hub.style_name(self.file)
        return f"{file}-{self.style}".replace("/", "-") if self.style else file

    def __fspath__(self) -> str:
        return f"{self.file}#{self.style}" if self.style else str(self.file)


def find_reference(style: str | os.PathLike[str]) -> StyleReference:
    """The style of a name, a path, or either with `#` and a name after it, as in `gallery#wave`.

    A file or style named exactly like the whole text takes precedence. Raises `UserError`, which lists all styles.
    """
    if isinstance(style, StyleReference):
        return style
    if not isinstance(style, str | os.PathLike) or not isinstance(os.fspath(style), str):
        raise UserError(f"a style is a name or a path, got {type(style).__name__}")
    text = os.fspath(style)
    name, sign, inside = text.rpartition("#")
    on_hub = name.startswith(hub.PREFIX)
    if sign and name and inside and not _is_there(text) and (on_hub or _is_there(name)):
        return StyleReference(find_style(name), inside)
    return StyleReference(find_style(text))


def _is_there(text: str) -> bool:
    return text in styles() or os.path.isfile(home_expanded(text))


def find_weighted_style(text: str) -> tuple[StyleReference, float]:
    """The style of `STYLE[:WEIGHT]`, and its weight, 1 where there is none.

    Only a number is a weight, so the colon of `C:\\wave.safetensors` isn't one; and what is there under the whole
    text is that. Raises `UserError` as `find_reference` does.
    """
    name, colon, number = text.rpartition(":")
    if not colon or _is_there(text):
        return find_reference(text), 1.0
    try:
        weight = float(number)
    except ValueError:
        return find_reference(text), 1.0
    return find_reference(name), weight


def publish_style(file: Path, place: Path, replace: bool) -> Path | None:
    """Copies a style file to its place. Returns None where another exists that may not be replaced."""
    if place.exists() and not replace:
        return None
    with atomic_write(place) as temporary:
        shutil.copyfile(file, temporary)
    return place


def infer_command(file: Path, inside: str | None = None) -> str:
    """The command that stylizes an image with a style file, or a style `inside` it, as it works where the user is.

    Short where it can be: in the source tree, and where the name finds this file.
    """
    found = file.stem if is_in_source_tree() and has_name(file) else str(file.resolve())
    style = shlex.quote(f"{found}#{inside}" if inside else found)
    return f"{program('infer')} PHOTO -s {style}"


def has_name(file: Path) -> bool:
    """Whether the file's name alone, as of a style in `checkpoints/`, finds this file."""
    known = styles().get(file.stem)
    return known is not None and known.resolve() == file.resolve()


def program(command: str) -> str:
    """How `infer` or `train` is typed where the user is: by its script, from a clone, else by `stylenet`."""
    tree = source_tree()
    if tree is None:
        return f"stylenet {command}"
    script = f"{command}.py"
    return f"python {script if is_in_source_tree() else shlex.quote(str(tree / script))}"


def is_in_source_tree() -> bool:
    """Whether the working directory is the folder of a clone."""
    return source_tree() == Path.cwd().resolve()
