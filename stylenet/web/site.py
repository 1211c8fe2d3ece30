"""The page as a folder of static files, for any web server."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from stylenet.disk import file_sha256, printable
from stylenet.errors import UserError
from stylenet.models.catalog import find_reference
from stylenet.web.networks import add_network, write_list

PACKAGE = Path(__file__).parent
PAGE = PACKAGE / "page"  # HTML, CSS and JavaScript as they are written
BUILT = PACKAGE / "built"  # runtime, networks and example photo: made by tools/fetch_web.py, part of the wheel
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


def write_site(folder: Path, styles: Sequence[str | os.PathLike[str]] = ()) -> None:
    """Writes the page into `folder`, with the built-in networks and those of the style files `styles`.

    Existing files of the page are replaced. Raises `UserError` when the runtime was not fetched or a file is no style.
    """
    require_runtime()
    check_names([find_reference(style).name for style in styles])
    folder.mkdir(parents=True, exist_ok=True)
    for source in (PAGE, BUILT):
        shutil.copytree(source, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for style in styles:
        add_network(folder, style)
    write_list(folder)
    values = {"{{policy}}": POLICY, "{{version}}": version_of(folder)}
    for name in TEMPLATES:
        text = (PAGE / name).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(key, value)
        (folder / name).write_text(text, encoding="utf-8")


def version_of(folder: Path) -> str:
    """A hash of the folder's files, by which browsers know an old page from a new one."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + bytes.fromhex(file_sha256(file)))
    return digest.hexdigest()[:16]


def check_names(names: Sequence[str]) -> None:
    """Raises `UserError` where one network would take the place of another."""
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two networks are named {printable(name)}")


def require_runtime() -> None:
    """Raises `UserError`, naming the command, where the files that are not in the repository are missing."""
    if not (BUILT / "runtime").is_dir():
        raise UserError("the page's runtime is missing: python tools/fetch_web.py fetches it")
