"""Photos of every source: what is read, kept, left out and said."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from pictures import CONVERTED, JPEG, SKIPPED, encoded
from PIL import Image

from stylenet.data import ArrayPhotos, Photos, PhotosError, PhotoSettings, held_out_photos, open_photos
from stylenet.data.sets import StreamedPhotos
from stylenet.data.sources import Row, sample_credits


def opened(source: str, path: str, **more: Any) -> Photos:
    return open_photos(PhotoSettings(source, path, **more))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "set"
    place.mkdir()
    return place


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A parquet file of the same form as the built-in one."""
    rows = [
        {
            "image": {"bytes": encoded(np.full((20, 40, 3), 10 * i, np.uint8)), "path": f"{i}.png"},
            "split": "held_out" if i % 2 else "train",
            "title": f"photo {i}",
            "author": "nobody",
            "source": f"set {i % 4}, file {i}.png",
            "licence": "CC0-1.0",
        }
        for i in range(6)
    ]
    path = tmp_path / "sample.parquet"
    datasets.Dataset.from_list(rows).cast_column("image", datasets.Image(decode=False)).to_parquet(path)
    return path


def fill(folder: Path, good: int, files: dict[str, tuple[bytes, str]]) -> None:
    for index in range(good):
        (folder / f"good{index:02}.jpg").write_bytes(encoded(np.full((40, 60, 3), 5 * index, np.uint8), "JPEG"))
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)


def test_a_folder_with_every_kind_of_bad_file_is_read_to_the_end_and_counted(folder: Path) -> None:
    fill(folder, 20, SKIPPED | CONVERTED)
    (folder / "directory.jpg").mkdir()
    (folder / "directory.jpg" / "inner.jpg").write_bytes(JPEG)
    (folder / ".hidden.jpg").write_bytes(JPEG)
    (folder / "dangling.jpg").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.jpg")
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(JPEG)
    photos = opened("folder", str(folder))
    assert len(list(photos)) == 20 + len(SKIPPED) + len(CONVERTED) + 1
    report = photos.report()
    assert report[0] == "photos: 28 used, 18 skipped"
    assert "  skipped, truncated or damaged: 7 (cut5.jpg, cut6.jpg, cut7.jpg, …)" in report
    assert "  skipped, not a file: 2 (dangling.jpg, pipe.jpg)" in report
    assert "  skipped, not an image: 3 (metadata.csv, nul.jpg, text.jpg)" in report
    assert "  converted, grayscale: 1 (gray.png)" in report


def test_a_wrong_extension_does_no_harm(folder: Path) -> None:
    (folder / "really.txt").write_bytes(JPEG)
    assert opened("folder", str(folder))[0].shape == (3, 40, 60)


def test_in_the_place_of_a_bad_photo_stands_the_next_good_one(folder: Path) -> None:
    for name, value in {"a": 10, "c": 30}.items():
        (folder / name).write_bytes(encoded(np.full((16, 16, 3), value, np.uint8)))
    (folder / "b").write_bytes(b"bad")
    (folder / "d").write_bytes(b"bad")
    assert [int(photo.max()) for photo in opened("folder", str(folder))] == [10, 30, 30, 10]


def test_photos_beyond_the_memory_are_read_again_with_equal_pixels(folder: Path) -> None:
    fill(folder, 4, {})
    kept, reread = opened("folder", str(folder)), opened("folder", str(folder), memory=40 * 60 * 3)
    for _ in range(2):
        assert all(torch.equal(a, b) for a, b in zip(kept, reread, strict=True))
    assert (len(kept._kept), len(reread._kept)) == (4, 1)
    assert reread.report() == kept.report() == ["photos: 4 used, 0 skipped"]


def test_what_was_never_asked_for_is_said(folder: Path) -> None:
    fill(folder, 4, {})
    assert opened("folder", str(folder), limit=3).report() == ["photos: 1 used, 0 skipped, 2 never asked for"]


def test_a_vanished_folder_is_an_error_and_a_vanished_file_is_not(folder: Path) -> None:
    fill(folder, 3, {})
    photos = opened("folder", str(folder), memory=0)
    (folder / "good01.jpg").unlink()
    assert torch.equal(photos[1], photos[2])
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(PhotosError, match="has vanished"):
        photos[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything: run as another user to see this")
def test_files_without_permission_are_counted(folder: Path) -> None:
    fill(folder, 2, {})
    (folder / "good01.jpg").chmod(0)
    photos = opened("folder", str(folder))
    assert len(list(photos)) == 2
    assert "  skipped, no permission: 1 (good01.jpg)" in photos.report()


def failing(**options: object) -> str:
    with pytest.raises(PhotosError) as caught:
        open_photos(PhotoSettings(**options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_set_with_nothing_usable_says_what_was_there(folder: Path) -> None:
    assert failing(source="folder", path=str(folder)) == f"data.path={folder}: no usable photo (0 files)"
    fill(folder, 0, {name: SKIPPED[name] for name in ("text.jpg", "nul.jpg", "empty.jpg")})
    message = f"data.path={folder}: no usable photo (3 files: 2 not an image, 1 empty; first: empty.jpg)"
    assert failing(source="folder", path=str(folder)) == message


def test_wrong_settings_are_named() -> None:
    assert failing(source="folder", path="/none") == "data.path=/none is not a folder"
    assert "data.path=DIR" in failing(source="folder")
    assert "sample, folder, zip, hub, got 'cloud'" in failing(source="cloud")
    assert "data.limit" in failing(limit=0)
    assert "data.size" in failing(size=8)


def test_the_sample_has_its_splits_apart_and_names_its_sources(sample: Path) -> None:
    squares, titles = held_out_photos(16, sample)
    assert titles == ["photo 1", "photo 3", "photo 5"]
    assert squares.shape == (3, 3, 16, 16)
    assert squares.flatten(1).double().mean(1).tolist() == [10, 30, 50]
    assert sample_credits("train", sample) == ["set 0 (CC0-1.0)", "set 2 (CC0-1.0)"]


def test_the_built_in_sample_holds_enough_photos_to_train_and_sixteen_to_judge() -> None:
    photos = open_photos()
    assert len(photos) >= 50
    assert len(list(photos)) == photos.stats.used
    squares, titles = held_out_photos(32)
    assert squares.shape == (16, 3, 32, 32)
    assert len(set(titles)) == 16


@pytest.mark.parametrize("streaming", [True, False])
def test_a_data_set_in_a_layout_of_the_hub_is_read_streamed_or_not(
    sample: Path, streaming: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    place = tmp_path / "hub"
    (place / "data").mkdir(parents=True)
    sample.rename(place / "data" / "train-00000.parquet")
    photos = opened("hub", str(place), streaming=streaming, limit=4)
    monkeypatch.chdir(tmp_path)
    by_relative_path = opened("hub", "hub", streaming=streaming, limit=4)
    assert photos.sources == by_relative_path.sources == ["hub, split train"]
    assert photos.reach(99) == len(photos) == 4
    assert [int(photo.max()) for photo in photos] == [0, 10, 20, 30]
    columns = "image, split, title, author, source, licence"
    assert failing(source="hub", path=str(place), column="img", streaming=streaming).endswith(f"it has {columns}")
    for column in ("split", "title"):
        message = failing(source="hub", path=str(place), column=column, streaming=streaming)
        assert message == f"data.column={column} holds no images"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert opened("hub", "~/hub", streaming=streaming, limit=4).sources == photos.sources
    assert "nope" in failing(source="hub", path=str(place), split="nope", streaming=streaming)


def test_without_a_hub_the_error_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", unreachable)
    message = failing(source="hub", path="detection-datasets/coco")
    assert message.startswith("data.path=detection-datasets/coco: the Hugging Face hub cannot be reached (Name or")
    assert "data=sample" in message
    assert "data=folder data.path=DIR" in message


def stream(cells: list[bytes], memory: int = 1 << 30) -> StreamedPhotos:
    rows = iter([Row(f"row {i}", data) for i, data in enumerate(cells)])
    return StreamedPhotos(rows, 288, memory, "data.path=x", [])


def plain(value: int) -> bytes:
    return encoded(np.full((16, 16, 3), value, np.uint8))


def test_a_stream_is_read_no_further_than_needed_and_bad_rows_never_enter() -> None:
    photos = stream([plain(1), b"bad", plain(2), plain(3)])
    assert photos.reach(1) == 1
    assert photos.report() == ["photos: 1 used, 0 skipped"]
    assert int(photos[1].max()) == 2
    assert photos.reach(9) == 3
    assert photos.report() == ["photos: 3 used, 1 skipped", "  skipped, not an image: 1 (row 1)"]


def test_a_stream_ends_where_the_memory_does() -> None:
    assert stream([plain(1)] * 9, memory=3 * 16 * 16 * 3 + 5).reach(9) == 3


def test_a_stream_that_breaks_off_is_an_error_for_every_thread_that_waits() -> None:
    def rows() -> Iterator[Row]:
        yield Row("row 0", plain(1))
        raise ConnectionError("reset\nby peer")

    photos = StreamedPhotos(rows(), 288, 1 << 30, "data.path=x", [])
    assert int(photos[0].max()) == 1
    for _ in range(2):
        with pytest.raises(PhotosError, match="broke after 1 photos: reset by peer"):
            photos.reach(2)


def test_a_stream_says_where_its_memory_ended() -> None:
    photos = stream([plain(1)] * 9, memory=3 * 16 * 16 * 3 + 5)
    photos.reach(9)
    assert photos.report()[-1] == "  the set ends after 3 photos: the memory for them is full (data.memory)"


def test_a_stream_keeps_its_order_though_threads_decode_it() -> None:
    photos = stream([plain(value) if value % 3 else b"bad" for value in range(60)])
    assert photos.reach(99) == 40
    assert [int(photo.max()) for photo in photos] == [value for value in range(60) if value % 3]


def test_processes_of_one_machine_share_the_memory_for_photos(folder: Path) -> None:
    size = 40 * 60 * 3
    Image.new("RGB", (60, 40)).save(folder / "photo.png")
    alone = open_photos(PhotoSettings("folder", str(folder), memory=2 * size))
    shared = open_photos(PhotoSettings("folder", str(folder), memory=2 * size), processes=2)
    assert (alone._room, shared._room) == (size, 0)  # type: ignore[attr-defined]


def test_photos_in_heic_are_used_where_the_plugin_is(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    Image.new("RGB", (40, 30), (200, 0, 0)).save(tmp_path / "phone.heic")
    command = (
        "from stylenet.data import *; p = open_photos(PhotoSettings('folder', '.')); print(*p[0].shape, p.report())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "3 30 40 ['photos: 1 used, 0 skipped']\n"


def test_arrays_are_photos_and_others_are_refused() -> None:
    arrays = [np.full((20, 30, 3), value, np.uint8) for value in (1, 2)]
    photos = ArrayPhotos(arrays)
    assert [photo.shape for photo in photos] == [(3, 20, 30)] * 2
    assert photos.sources == ArrayPhotos([torch.from_numpy(array) for array in arrays]).sources
    for wrong in ([arrays[0] / 255], [arrays[0][..., 0]], [arrays[0][:8]], []):
        with pytest.raises(PhotosError, match=r"photos must be uint8 arrays|no photos were given"):
            ArrayPhotos(wrong)
