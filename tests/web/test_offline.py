"""The service worker beside other pages of its host, and on a host that fails."""

import shutil
from pathlib import Path

import pytest
from page import INSTALLED, ready, require_browser
from static_server import Handler, served

from stylenet.web.site import HEADERS

require_browser()


@pytest.fixture
def page(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()


def visit(page, url: str) -> None:
    page.goto(url)
    ready(page)
    page.evaluate(INSTALLED)


def test_two_pages_on_one_host_keep_their_own_files(page, site: Path, tmp_path: Path) -> None:
    for name in "ab":
        shutil.copytree(site, tmp_path / name)
    old = "(name) => caches.open(name).then((cache) => cache.put('./', new Response('old')))"
    with served(tmp_path, HEADERS) as url:
        visit(page, f"{url}a/")
        page.evaluate(old, "stylenet-0a")  # the name that an older version of the page in a/ gave
        visit(page, f"{url}b/")
        page.evaluate(old, "stylenet-0b")
        assert len(page.evaluate("caches.keys()")) == 4
        script = tmp_path / "b/offline.js"
        script.write_text(script.read_text() + "// a new version")
        page.reload()
        while "stylenet-0b" in page.evaluate("caches.keys()"):
            page.wait_for_timeout(100)
        assert "stylenet-0a" in page.evaluate("caches.keys()")
    for name in "ab":  # without the server
        page.goto(f"{url}{name}/")
        ready(page)


class Failing(Handler):
    fails = False

    def do_GET(self) -> None:  # noqa: N802, the name that the base class calls
        if Failing.fails:
            self.send_error(503)
        else:
            super().do_GET()


def test_the_page_works_on_while_the_host_answers_with_errors(page, site: Path) -> None:
    with served(site, HEADERS, Failing) as url:
        visit(page, url)
        Failing.fails = True
        page.reload()
        ready(page)


def test_another_site_that_comes_to_the_address_is_left_alone(page, site: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(site, tmp_path / "page")
    with served(folder, {}) as url:
        visit(page, url)
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "index.html").write_text("<script>document.title = 'its own script runs'</script>")
        page.goto("about:blank")
        page.goto(url)
        assert page.title() == "its own script runs"
        page.goto("about:blank")
        page.goto(url)
        assert page.evaluate("navigator.serviceWorker.getRegistrations().then((found) => found.length)") == 0
        assert page.evaluate("caches.keys()") == []
