"""What pictures made to do harm come to: one line or a picture, in little time and memory."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import hostile_pictures
from infer_command import ROOT
from PIL import Image

from stylenet.media.image import decode_image
from stylenet.media.limits import ImageError
from stylenet.media.picture import Picture, Size

PICTURES = hostile_pictures()
SMALL = 20_000_000  # pixels: a limit under which the test has no need of gigabytes


def frames(data: bytes) -> list[Image.Image]:
    return [frame.colors for frame in Picture.open(data, Size(max_pixels=SMALL)).frames()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("read", [lambda data: [decode_image(data, SMALL)], frames], ids=["first", "frames"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_is_one_line_or_a_picture(name: str, read: Callable[[bytes], list[Image.Image]]) -> None:
    complaint = ""
    try:
        for image in read(PICTURES[name]):
            assert (image.mode, len(image.tobytes())) == ("RGB", 3 * image.width * image.height)
    except ImageError as error:
        complaint = str(error)
    assert complaint.isprintable()
    assert len(complaint) < 300


def test_hostile_pictures_take_little_memory_and_crash_nothing(tmp_path: Path) -> None:
    """Far less than what many of them promise to unpack to."""
    code = """
import resource, sys, warnings
from pathlib import Path
from stylenet.media.limits import ImageError
from stylenet.media.picture import Picture, Size
warnings.simplefilter("ignore")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        for frame in Picture.open(path, Size(max_pixels=int(sys.argv[2]))).frames():
            pass
    except ImageError as error:
        if isinstance(error.__cause__, MemoryError):
            print(path.name)
print("all")
"""
    for name, data in PICTURES.items():
        (tmp_path / name).write_bytes(data)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path), str(SMALL)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "all\n"), done.stderr
