"""The page as a folder of static files, for any web server."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from stylenet.disk import atomic_write, file_sha256, printable
from stylenet.errors import UserError
from stylenet.models.catalog import find_reference
from stylenet.web.networks import FOLDER, add_network, write_list

PACKAGE = Path(__file__).parent
PAGE = PACKAGE / "page"  # HTML, CSS and JavaScript as they are written
BUILT = PACKAGE / "built"  # runtime, networks and example photo: made by tools/fetch_web.py, part of the wheel
FILES = "stylenet.json"  # lists the page's own files
TEMPLATES = ("index.html", "offline.js")
# Scripts, networks and images come from the page's own host alone, and nothing can be sent to another.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
# For every file of the page. The second and third give its WebAssembly several threads.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
}


def write_site(folder: Path, styles: Sequence[str | os.PathLike[str]] = ()) -> int:
    """Writes the page into `folder`, with the built-in networks and those of the style files `styles`, and no others.

    Returns its size in bytes.
    An earlier page is replaced, other files beside it are kept. Raises `UserError` where the folder holds anything
    else, when the runtime was not fetched, or a file is no style.
    """
    require_runtime()
    check_names([find_reference(style).name for style in styles])
    old = earlier_page(folder)
    with tempfile.TemporaryDirectory() as temporary:  # so that an error leaves the earlier page as it was
        made = Path(temporary)
        make_page(made, styles)
        replace_page(folder, old, made)
        return sum((made / name).stat().st_size for name in files_in(made))


def make_page(folder: Path, styles: Sequence[str | os.PathLike[str]]) -> None:
    """Writes the page into an empty folder."""
    for source in (PAGE, BUILT):
        copy_files(source, folder)
    for style in styles:
        add_network(folder, style)
    write_list(folder)
    files = json.dumps({quote(name): (folder / name).stat().st_size for name in sorted(files_in(folder))})
    values = {
        "{{policy}}": POLICY,
        "{{headers}}": json.dumps(HEADERS),
        "{{version}}": version_of(folder),
        "{{files}}": files,
    }
    for name in TEMPLATES:
        text = (PAGE / name).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(key, value)
        (folder / name).write_text(text, encoding="utf-8")


def copy_files(source: Path, folder: Path) -> None:
    """Copies all files with their folders, but not their modes: an installed package may be read-only."""
    for name in files_in(source):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, folder / name)


def earlier_page(folder: Path) -> set[str]:
    """The files of the page in the folder, by its own list. Raises `UserError` where other files are there instead."""
    try:
        listed = set(json.loads((folder / FILES).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        # Names with a dot in front, as .git, are in no page's way.
        if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise UserError(
                f"{printable(folder)} holds other files than a page of stylenet: choose an empty folder"
            ) from error
        return set()
    return listed & files_in(folder)


def replace_page(folder: Path, old: set[str], made: Path) -> None:
    """Copies the page in `made` into the folder and removes what else was of the `old` one.

    Raises `UserError` where another file has the name of one of the page.
    """
    new = files_in(made)
    for name in sorted(new - old):
        if os.path.lexists(folder / name):
            raise UserError(
                f"{printable(folder / name)} is no file of the earlier page, and would be replaced: move it"
            )
    write_files(folder, old | new)  # first: what a run leaves that was cut off is known as a page as well
    for name in sorted(new):
        with atomic_write(folder / name) as temporary:
            shutil.copyfile(made / name, temporary)
    for name in old - new:
        (folder / name).unlink()
    write_files(folder, new)


def write_files(folder: Path, names: set[str]) -> None:
    """Writes the list by which `earlier_page` knows the page's files."""
    with atomic_write(folder / FILES) as temporary:
        temporary.write_text(json.dumps({"files": sorted(names)}, ensure_ascii=False, indent=1), encoding="utf-8")


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def version_of(folder: Path) -> str:
    """A hash of the folder's files, by which browsers know an old page from a new one."""
    digest = hashlib.sha256()
    for name in sorted(files_in(folder)):
        digest.update(name.encode() + bytes.fromhex(file_sha256(folder / name)))
    return digest.hexdigest()[:16]


def check_names(names: Sequence[str]) -> None:
    """Raises `UserError` where one network would take the place of another."""
    built_in = {path.stem for path in (BUILT / FOLDER).glob("*.onnx")}
    for name in names:
        if name in built_in:
            raise UserError(f"the page already has a network named {printable(name)}: leave it out, or rename yours")
        if names.count(name) > 1:
            raise UserError(f"two networks are named {printable(name)}")


def require_runtime() -> None:
    """Raises `UserError`, naming the command, where the files that are not in the repository are missing."""
    if not (BUILT / "example.jpg").is_file():  # what is fetched last
        raise UserError("the page's runtime is missing: python tools/fetch_web.py fetches it")
