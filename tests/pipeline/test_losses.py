"""What a result cannot hold is said in a line: transparency, depth of color."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clips import unchanged
from pictures import GRADIENT
from PIL import Image

from stylenet.media.formats import WRITABLE
from stylenet.media.numbered_images import NumberedImages
from stylenet.media.video.stills import ImageWriter, SequenceFrames
from stylenet.pipeline.clip import ClipJob, stylize_clip
from stylenet.pipeline.restyle import restyle

OPAQUE = Image.fromarray(GRADIENT)
CLEAR = OPAQUE.copy()
CLEAR.putalpha(100)


def said(folder: Path, images: list[Image.Image], target: str) -> list[str]:
    for number, image in enumerate(images, 1):
        image.save(folder / f"{number}.png")
    lines: list[str] = []
    stylize_clip(unchanged(), ClipJob(folder / "%d.png", folder / target, 0.0), lines.append)
    return [line.split("%d.png: ")[1] for line in lines]


@pytest.mark.parametrize("target", ["out/%d.png", "out.mp4", "out.gif"])
def test_transparency_after_an_opaque_first_frame_is_a_line(tmp_path: Path, target: str) -> None:
    lines = said(tmp_path, [OPAQUE, CLEAR, CLEAR], target)
    assert "transparency of 2 frames became white, as the first frame has none" in lines


def test_transparent_numbered_images_to_jpeg_are_a_line(tmp_path: Path) -> None:
    assert said(tmp_path, [CLEAR], "out/%d.jpg") == ["transparency became white, as JPEG holds none"]
    assert not said(tmp_path, [CLEAR], "new/%d.png")


def test_deep_numbered_images_are_a_line(tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((20, 30), 40_000, np.uint16))
    assert said(tmp_path, [deep], "out/%d.png") == ["was 16-bit or more"]


def test_a_deep_clip_to_images_is_a_line(tmp_path: Path) -> None:
    OPAQUE.save(tmp_path / "1.png")
    source = SequenceFrames(NumberedImages(tmp_path / "%d.png"))
    source.pixel_format = "yuv420p10le"
    assert list(ImageWriter("out", source, WRITABLE[".png"]).notes()) == ["10-bit color became 8-bit"]


def test_a_transparent_image_to_jpeg_is_a_note() -> None:
    file = BytesIO()
    CLEAR.save(file, "PNG")
    done = restyle(file.getvalue(), unchanged(), format=WRITABLE[".jpg"])
    assert done.notes == ("transparency became white, as JPEG holds none",)
