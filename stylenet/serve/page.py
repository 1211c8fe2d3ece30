"""The page at `/`: the browser page if it was built, else a plain form."""

import atexit
import mimetypes
import shutil
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from stylenet.errors import UserError
from stylenet.web.site import HEADERS, write_site

TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}  # not in every system's list
POLICY = "default-src 'self'; form-action 'self'; frame-ancestors 'none'"
PLAIN = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>stylenet</title>
<h1>stylenet</h1>
<form action="/v1/stylize" method="post" enctype="multipart/form-data">
<p><label>Image <input type="file" name="image" accept="image/*" required></label>
<p><label>Style <select name="style">{options}</select></label>
<p><label>Strength <input name="strength" type="number" min="0" max="1.5" step="0.1" value="1"></label>
<p><button>Stylize</button>
</form>
<p><a href="/docs">Documentation</a> · <a href="/v1/styles">Styles</a>
"""


class Page(StaticFiles):
    """The browser page's files, with its headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers.update(HEADERS)
        return answer


def add(app: FastAPI, styles: Sequence[str]) -> None:
    """Adds the page; after all other routes, as it matches every path."""
    folder = Path(tempfile.mkdtemp(prefix="stylenet-page-"))
    try:
        write_site(folder)
    except (UserError, OSError):  # its runtime is not part of a checkout
        shutil.rmtree(folder)
        add_plain(app, styles)
        return
    for suffix, kind in TYPES.items():
        mimetypes.add_type(kind, suffix)
    app.mount("/", Page(directory=folder, html=True))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def add_plain(app: FastAPI, styles: Sequence[str]) -> None:
    """Adds a form that needs no script."""
    form = plain(styles)

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(form, headers={"Content-Security-Policy": POLICY})


def plain(styles: Sequence[str]) -> str:
    """The form, with the styles to choose from."""
    names = [escape(name) for name in styles]
    return PLAIN.format(options="".join(f'<option value="{name}">{name}</option>' for name in names))
