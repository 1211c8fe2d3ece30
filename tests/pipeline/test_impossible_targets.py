"""Results that cannot be written are refused before the network works for them."""

import os
from pathlib import Path

import numpy as np
import pytest
from clips import STEADY, make_clip, unchanged
from infer_command import picture
from PIL import Image

from stylenet.disk import check_place
from stylenet.errors import UserError
from stylenet.inference.styler import Styler
from stylenet.media import encoders
from stylenet.media.formats import WRITABLE, format_of
from stylenet.media.limits import ImageError
from stylenet.pipeline.clip import ClipJob, stylize_clip
from stylenet.pipeline.images import Batch
from stylenet.pipeline.job import Job


def never() -> Styler:
    def fail(count: int) -> None:
        pytest.fail("the network was used")

    return unchanged(fail)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file `file`, a folder `folder.png`, and one that is read-only (root may write everywhere)."""
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "closed").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed" and access(path, mode))
    return tmp_path


IMPOSSIBLE = {
    "file/out/a.png": "Not a directory",
    "folder.png": "Is a directory",
    "closed/a.png": "Permission denied",
    "closed/new/a.png": "Permission denied",
    f"new/{'x' * 252}.png": "File name too long",
    f"{'é' * 126}.png": "File name too long",
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_image_that_cannot_be_written_is_refused_at_once(places: Path, name: str) -> None:
    source = picture(places / "photo.png")
    with Batch(never()) as batch:
        [result] = batch.run([Job(source, places / name)])
    assert result.failure == f"cannot write {places / name}: {IMPOSSIBLE[name]}"
    assert not (places / "new").exists()


@pytest.mark.parametrize("name", [f"{'x' * 252}.mp4", "closed/%04d.png", f"{'x' * 249}%04d.png", "file/%04d.png"])
def test_a_clip_that_cannot_be_written_is_refused_at_once(places: Path, name: str) -> None:
    source = make_clip(places / "a.mp4", STEADY[:2], sound=False)
    with pytest.raises(UserError, match="cannot write "):
        stylize_clip(never(), ClipJob(source, places / name, 0.0), print)


def test_a_place_that_can_be_written_is_left_as_it_is(places: Path) -> None:
    check_place(places / "new/deep/a.png")
    check_place(places / "file")
    assert not (places / "new").exists()


@pytest.mark.parametrize(("suffix", "longest"), [(".jpg", 65500), (".webp", 16383), (".gif", 65535)])
def test_a_side_that_the_format_cannot_hold_is_refused_at_once(tmp_path: Path, suffix: str, longest: int) -> None:
    Image.new("L", (longest + 1, 16)).save(tmp_path / "long.png")
    target = tmp_path / f"out{suffix}"
    with Batch(never()) as batch:
        [result] = batch.run([Job(tmp_path / "long.png", target, format_of(target))])
    assert f"cannot hold a side of {longest + 1:,} pixels, its limit is {longest:,}" in result.failure


@pytest.mark.parametrize(("suffix", "longest"), [(".jpg", 65500), (".webp", 16383), (".gif", 65535)])
def test_the_longest_side_can_be_written(suffix: str, longest: int) -> None:
    assert encoders.encode_image(Image.new("RGB", (longest, 1)), WRITABLE[suffix])


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".gif"])
def test_an_encoders_own_refusal_is_one_line(suffix: str) -> None:
    with pytest.raises(ImageError, match="cannot hold 65536 x 1 pixels"):
        encoders.encode_image(Image.fromarray(np.zeros((1, 65536, 3), np.uint8)), WRITABLE[suffix])
