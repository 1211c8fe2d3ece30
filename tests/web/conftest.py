"""The browser page in Debian's Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from static_server import served

from stylenet.web.site import HEADERS, write_site

CAMERA = ["--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="session")
def launch() -> Iterator[object]:
    """Starts Chromium with more arguments; closes it after the last test."""
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
