"""The browser page in Debian's Chromium. Where it, Playwright or the runtime are missing: skipped, but failed in CI."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from static_server import served

from stylenet.web.site import BUILT, HEADERS, write_site

CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


def missing() -> str | None:
    """What the tests of the page lack here."""
    if not (BUILT / "networks/starry-small.json").exists():
        return "the page's runtime: python tools/fetch_web.py"
    if shutil.which("chromium") is None:
        return "Chromium: apt-get install chromium"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "Playwright: pip install -e '.[dev]'"
    return None


@pytest.fixture(scope="session")
def launch() -> Iterator[object]:
    """Starts Chromium with more arguments; closes it after the last test."""
    if (reason := missing()) is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"the tests of the page need {reason}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield lambda arguments: playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *arguments]
        )


@pytest.fixture(scope="session")
def browser(launch) -> Iterator[object]:
    browser = launch(CAMERA)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, launch) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_site(folder)
    return folder


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """The page from a host that sends the headers it asks for."""
    with served(site, HEADERS) as url:
        yield url
