"""The page's controls, and what its canvases show."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

SECONDS = 1000  # milliseconds
PATIENCE = 120 * SECONDS
READ = """id => {
  const canvas = document.getElementById(id);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, Array.from(data)];
}"""
SET = """([id, value]) => {
  const element = document.getElementById(id);
  element.value = value;
  element.dispatchEvent(new Event(element.tagName === 'SELECT' ? 'change' : 'input', { bubbles: true }));
}"""


def pixels(page, canvas: str = "result") -> np.ndarray:
    """What a canvas holds, `h w 4`."""
    height, width, values = page.evaluate(READ, canvas)
    return np.array(values, np.uint8).reshape(height, width, 4)


def ready(page) -> None:
    page.locator("body[data-ready=true]").wait_for(timeout=PATIENCE)


def count(page) -> int:
    """How many images the page has shown."""
    return int(page.evaluate("document.body.dataset.pictures"))


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
