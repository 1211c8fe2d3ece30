"""The page's controls, and what its canvases show."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylenet.web.site import BUILT

WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]  # by software
SECONDS = 1000  # milliseconds
PATIENCE = 120 * SECONDS
READ = """id => {
  const canvas = document.getElementById(id);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, Array.from(data)];
}"""
INSTALLED = """() => navigator.serviceWorker.ready.then(({ active }) => new Promise((resolve) => {
  const check = () => active.state === 'activated' && resolve();
  active.addEventListener('statechange', check);
  check();
}))"""
SET = """([id, value]) => {
  const element = document.getElementById(id);
  element.value = value;
  element.dispatchEvent(new Event(element.tagName === 'SELECT' ? 'change' : 'input', { bubbles: true }));
}"""


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


def require_browser() -> None:
    """Skips a module of tests that could not run here, with one line; in CI, that is an error."""
    if (reason := missing()) is None:
        return
    if os.environ.get("CI") == "true":
        raise RuntimeError(f"the tests of the page need {reason}")
    pytest.skip(f"the tests of the page need {reason}", allow_module_level=True)


def pixels(page, canvas: str = "result") -> np.ndarray:
    """What a canvas holds, `h w 4`."""
    height, width, values = page.evaluate(READ, canvas)
    return np.array(values, np.uint8).reshape(height, width, 4)


def ready(page) -> None:
    page.locator("body[data-ready=true]").wait_for(timeout=PATIENCE)


def listens(page) -> None:
    """Waits until the page's code runs, which then replaces this text."""
    page.locator("#status .late").wait_for(state="detached", timeout=PATIENCE)


def shows(page, text: str) -> None:
    """Waits for a text in the status line."""
    page.locator("#status", has_text=text).wait_for(timeout=PATIENCE)


def set_value(page, control: str, value: object) -> None:
    page.evaluate(SET, [control, str(value)])


def upload(page, file: Path | tuple[str, bytes], control: str = "open") -> None:
    name, content = file if isinstance(file, tuple) else (file.name, file.read_bytes())
    page.set_input_files(f"#{control}", {"name": name, "mimeType": "application/octet-stream", "buffer": content})


def png(image: np.ndarray) -> bytes:
    result = io.BytesIO()
    Image.fromarray(image).save(result, "PNG")
    return result.getvalue()
