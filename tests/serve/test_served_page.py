"""The page at `/`."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from stylenet.serve import page
from stylenet.web import site


def test_the_browser_page_is_served_with_its_headers_where_it_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runtime").mkdir()
    (tmp_path / "networks").mkdir()
    (tmp_path / "runtime/part.mjs").write_text("export {}")
    (tmp_path / "example.jpg").touch()
    monkeypatch.setattr(site, "BUILT", tmp_path)
    app = FastAPI(docs_url=None)
    page.add(app, [])
    client = TestClient(app)
    front, script = client.get("/"), client.get("/runtime/part.mjs")
    assert (front.status_code, "<!doctype html>" in front.text.lower()) == (200, True)
    assert script.headers["content-type"].startswith("text/javascript")
    for answer in (front, script):
        for name, value in site.HEADERS.items():
            assert answer.headers[name] == value
    assert client.get("/../site.py").status_code == client.get("/nothing").status_code == 404


def test_without_it_there_is_a_plain_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "BUILT", tmp_path)
    app = FastAPI()
    page.add(app, [])
    assert 'action="/v1/stylize"' in TestClient(app).get("/").text
