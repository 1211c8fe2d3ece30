"""`stylenet infer --list`: the styles, with their paintings."""

from pathlib import Path

from stylenet.cli.command import complain
from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.models.catalog import styles
from stylenet.models.style_file import read_card


def list_styles() -> int:
    """Prints one line per style: its name, its painting and the artist. Returns the exit code."""
    found = styles()
    cards = [entry for name, path in found.items() for entry in entries(name, path)]
    wide = max((len(printable(name)) for name, _ in cards), default=0)
    for name, text in cards:
        if text is not None:
            print(f"{printable(name):{wide}}  {text}".rstrip())
    if not found:
        complain("there are no styles yet: stylenet train style=NAME trains one")
    return 0 if all(text is not None for _, text in cards) else 1


def entries(name: str, path: Path) -> list[tuple[str, str | None]]:
    """Each style of a file, by what `-s` takes, with its painting; no text, and a complaint, if it cannot be read."""
    try:
        paintings = read_card(path).paintings
    except UserError as error:
        complain(str(error))
        return [(name, None)]
    return [(f"{name}{style}", describe_painting(painting)) for style, painting in paintings.items()]


def describe_painting(painting: object) -> str:
    """Title and artist of a painting."""
    facts = painting if isinstance(painting, dict) else {}
    return ", ".join(printable(str(facts[key])) for key in ("title", "artist") if facts.get(key))
