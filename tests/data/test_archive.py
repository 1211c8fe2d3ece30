"""Photos in a zip file."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from pictures import encoded

from stylenet.data import PhotosError, PhotoSettings, open_photos
from stylenet.data import archive as module


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three photos below a folder, a text and an empty folder."""
    with ZipFile(tmp_path / "photos.zip", "w") as file:
        file.mkdir("set")
        for index in range(3):
            file.writestr(f"set/{index}.png", encoded(np.full((20, 30, 3), 50 * index, np.uint8)))
        file.writestr("set/readme.txt", "about")
    return tmp_path / "photos.zip"


def opened(path: Path, limit: int | None = None) -> module.Photos:
    return open_photos(PhotoSettings("zip", str(path), limit=limit))


def test_the_photos_are_those_of_the_file_in_its_order(archive: Path) -> None:
    photos = opened(archive)
    assert [int(photos[index].float().mean()) for index in range(3)] == [0, 50, 100]
    assert torch.equal(photos[3], photos[0])  # the text, replaced by the next photo
    assert "  skipped, not an image: 1 (set/readme.txt)" in photos.report()
    assert photos.sources == ["photos.zip: 4 files"]
    assert len(opened(archive, limit=2)) == 2


def test_entries_that_cannot_be_read_are_counted(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive.read_bytes()
    place = data.index(b"set/1.png") + len("set/1.png") + 50  # inside the photo's own bytes
    archive.write_bytes(data[:place] + bytes(4) + data[place + 4 :])
    photos = opened(archive)
    assert [int(photos[index].float().mean()) for index in (0, 1)] == [0, 100]
    assert "  skipped, empty: 1 (set/1.png)" in photos.report()
    monkeypatch.setattr(module, "MAXIMUM_BYTES", 4)
    with pytest.raises(PhotosError, match=r"no usable photo \(4 files: 4 too large; first: set/0\.png\)"):
        opened(archive)


def test_what_is_no_zip_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("nothing")
    for path in (tmp_path / "no.zip", tmp_path / "none.zip", tmp_path):
        with pytest.raises(PhotosError, match=f"data.path={path} is not a readable zip file"):
            opened(path)
    with pytest.raises(PhotosError, match=r"data=zip needs data\.path=FILE"):
        open_photos(PhotoSettings("zip"))
