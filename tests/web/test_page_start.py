"""The page while it loads, and where it cannot."""

import shutil
import threading
from pathlib import Path

import numpy as np
from page import PATIENCE, listens, png, ready, require_browser, shows, upload
from static_server import Handler, served

from stylenet.web.site import HEADERS

require_browser()

PHOTO = ("mine.png", png(np.random.default_rng(0).integers(0, 256, (45, 61, 3), np.uint8)))


def test_a_photo_that_is_opened_before_there_is_a_style_is_stylized(browser, address: str) -> None:
    context = browser.new_context(service_workers="block")
    page, held = context.new_page(), []
    page.route("**/networks.json", lambda route: held.append(route))
    page.goto(address)
    listens(page)
    upload(page, PHOTO)
    page.wait_for_timeout(500)
    held[0].continue_()
    page.locator('#result[aria-label^="mine.png in the style"]').wait_for(timeout=PATIENCE)
    ready(page)
    shows(page, "61 × 45 px")
    context.close()


class Slow(Handler):
    """Sends the runtime when it may."""

    may = threading.Event()

    def do_GET(self) -> None:  # noqa: N802, the name that the base class calls
        if self.path.endswith(".gz"):
            Slow.may.wait()
        super().do_GET()


def test_a_photo_that_is_opened_during_the_first_visit_is_not_lost(browser, site: Path) -> None:
    context = browser.new_context()
    page, loads = context.new_page(), []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    with served(site, {}, Slow) as url:
        page.goto(url)
        listens(page)
        upload(page, PHOTO)
        page.wait_for_timeout(500)
        Slow.may.set()
        ready(page)
        page.locator('#result[aria-label^="mine.png in the style"]').wait_for(timeout=PATIENCE)
    assert len(loads) == 1
    context.close()


def test_every_action_gives_the_reason_when_the_worker_is_missing(browser, site: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(site, tmp_path / "page")
    (folder / "worker.js").unlink()
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    error = page.locator("#status.error", has_text="the runtime could not be loaded")
    with served(folder, HEADERS) as url:
        page.goto(url)
        error.wait_for(timeout=PATIENCE)
        page.evaluate("document.getElementById('status').textContent = ''")
        upload(page, PHOTO)
        error.wait_for(timeout=PATIENCE)
    context.close()


def test_a_page_that_was_opened_as_a_file_says_that_it_needs_a_server(browser, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.get_by_text("open the page from a web server").wait_for()
    page.close()


def test_the_chosen_style_is_seen_in_forced_colors(browser, address: str) -> None:
    context = browser.new_context(service_workers="block", forced_colors="active")
    page = context.new_page()
    page.goto(address)
    ready(page)
    chosen, other = page.evaluate(
        "[true, false].map((is) => [...document.querySelectorAll('.style')]"
        ".find((style) => style.querySelector('input').checked === is))"
        ".map((style) => [getComputedStyle(style).borderTopWidth, style.clientWidth + 2 * style.clientLeft])"
    )
    assert (chosen[0], other[0]) == ("3px", "1px")
    assert chosen[1] == other[1]
    context.close()
