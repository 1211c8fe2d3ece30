"""Random squares: what they show, and that a batch is known by its number alone."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stylenet.data import Photos, PhotosError, PhotoSettings, open_photos
from stylenet.data.crops import RandomCrops, random_square
from stylenet.data.datamodule import PhotoCrops
from stylenet.data.sets import StreamedPhotos
from stylenet.data.sources import Row

COUNT = 7


def opened(source: str, path: str, **more: Any) -> Photos:
    return open_photos(PhotoSettings(source, path, **more))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Seven photos: noise in red, and in blue one value that tells which it is."""
    folder = tmp_path_factory.mktemp("photos")
    for index in range(COUNT):
        pixels = np.zeros((20, 30 + index, 3), np.uint8)
        pixels[..., 0] = np.random.default_rng(index).integers(0, 255, pixels.shape[:2])
        pixels[..., 2] = 30 * index
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return opened("folder", str(folder))


def plain(value: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (16, 16), (value,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def shown(batch: torch.Tensor) -> list[int]:
    return [int(square[2].max()) // 30 for square in batch]


def test_batches_are_uint8_channels_last_and_square(photos: Photos) -> None:
    batch = next(iter(RandomCrops(photos, 16, 4, seed=0)))
    assert batch.shape == (4, 3, 16, 16)
    assert batch.dtype == torch.uint8
    assert batch.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_run_that_begins_later_goes_on_bit_for_bit(photos: Photos, threads: int) -> None:
    whole = list(islice(RandomCrops(photos, 16, 3, seed=5), 8))
    rest = list(islice(RandomCrops(photos, 16, 3, seed=5, first_batch=4, threads=threads), 4))
    assert all(torch.equal(a, b) for a, b in zip(whole[4:], rest, strict=True))


def test_another_seed_gives_another_order_and_other_squares(photos: Photos) -> None:
    first, second = (torch.cat(list(islice(RandomCrops(photos, 16, 4, seed), 4))) for seed in (0, 1))
    assert shown(first) != shown(second)
    squares = [RandomCrops(photos, 16, 1, seed)._square(0) for seed in range(50)]
    same_photo = [square for square in squares if square[0, 0, 2] == squares[0][0, 0, 2]]
    assert len(same_photo) > 1
    assert not any(np.array_equal(square, same_photo[0]) for square in same_photo[1:])


def test_each_pass_shows_every_photo_once_in_a_new_order(photos: Photos) -> None:
    order = shown(torch.cat(list(islice(RandomCrops(photos, 16, 3, seed=0), COUNT))))  # three passes
    passes = [order[start : start + COUNT] for start in range(0, 3 * COUNT, COUNT)]
    assert all(sorted(one) == list(range(COUNT)) for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_processes_share_one_global_batch(photos: Photos) -> None:
    whole = RandomCrops(photos, 16, 6, seed=2).batch_at(3)
    shares = [RandomCrops(photos, 16, 6, seed=2, rank=rank, world=3).batch_at(3) for rank in range(3)]
    assert torch.equal(torch.cat(shares), whole)


def test_a_stream_gives_its_photos_in_order_first_and_shuffled_later() -> None:
    def crops(first: int) -> RandomCrops:
        rows = iter([Row(str(index), plain(30 * index)) for index in range(COUNT)])
        return RandomCrops(StreamedPhotos(rows, 288, 1 << 20, "", []), 16, 2, seed=0, first_batch=first)

    order = shown(torch.cat(list(islice(crops(0), COUNT))))  # two passes
    assert order[:COUNT] == list(range(COUNT))
    assert sorted(order[COUNT:]) == list(range(COUNT))
    assert order[COUNT:] != list(range(COUNT))
    resumed = torch.cat(list(islice(crops(5), 2)))  # in the second pass, though nothing has been read yet
    assert shown(resumed) == order[10:]


def test_a_full_run_over_a_half_bad_folder_shows_good_photos_alone(tmp_path: Path) -> None:
    for index in range(40):
        bad = index % 2
        (tmp_path / f"{index:02}.jpg").write_bytes(b"bad" if bad else plain(60 if index < 20 else 90))
    crops = RandomCrops(opened("folder", str(tmp_path)), 16, 4, seed=0)
    seen = Counter(shown(torch.cat(list(islice(crops, 10)))))
    assert seen == {2: 20, 3: 20}
    assert crops.photos.report()[0] == "photos: 20 used, 20 skipped"


def test_an_error_while_cutting_ahead_reaches_the_training(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name in "abcd":
        (tmp_path / "set" / name).write_bytes(plain(1))
    crops = RandomCrops(opened("folder", str(tmp_path / "set"), memory=0), 16, 1, seed=0)
    (tmp_path / "set").rename(tmp_path / "gone")
    with pytest.raises(PhotosError, match="has vanished"):
        list(islice(crops, 4))


def test_only_the_time_without_a_photo_counts_as_waiting(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = RandomCrops(photos, 16, 1, seed=0, threads=1)
    cut, told = crops.batch_at, threading.Event()

    def cut_when_told(number: int) -> torch.Tensor:
        told.wait()
        return cut(number)

    monkeypatch.setattr(crops, "batch_at", cut_when_told)
    threading.Timer(0.2, told.set).start()
    batches = iter(crops)
    next(batches)
    waited = crops.waited
    assert waited > 0.1
    time.sleep(1)  # the training works
    next(batches)
    assert crops.waited - waited < 1


@pytest.mark.parametrize(("crop", "batch", "world"), [(8, 4, 1), (16, 0, 1), (16, 3, 2)])
def test_impossible_sizes_are_refused(photos: Photos, crop: int, batch: int, world: int) -> None:
    with pytest.raises(ValueError, match=r"crop|batch"):
        RandomCrops(photos, crop, batch, seed=0, rank=0, world=world)


@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_a_square_shows_a_part_of_the_photos_largest_square_unstretched(h: int, w: int, seed: int) -> None:
    # Red is twice the column and green twice the row: half a square rises by the square's whole side.
    photo = np.zeros((h, w, 3), np.uint8)
    photo[..., 0], photo[..., 1] = np.arange(w) * 2, (np.arange(h) * 2)[:, None]
    square = random_square(photo, 64, np.random.default_rng(seed)).astype(float)
    across = abs(square[:, 48, 0] - square[:, 16, 0]).mean()
    down = (square[48, :, 1] - square[16, :, 1]).mean()
    least, most = np.sqrt(0.08) * min(h, w), min(h, w)
    assert least - 1.5 <= across <= most + 1.5
    assert abs(across - down) <= 1.5


def test_about_half_of_the_squares_are_mirrored() -> None:
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[..., 0] = np.arange(32) * 8
    squares = [random_square(photo, 16, np.random.default_rng(seed)).astype(int) for seed in range(400)]
    assert 160 <= sum(square[0, 0, 0] > square[0, -1, 0] for square in squares) <= 240


def test_scaling_down_averages_as_a_photo_must_be() -> None:
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    square = random_square(np.dstack([board] * 3), 16, np.random.default_rng(0))
    assert abs(square.astype(int) - 128).max() <= 8


def test_an_iterator_that_is_left_open_is_closed_at_exit_without_a_word(tmp_path: Path) -> None:
    script = """
import numpy as np
from stylenet.data import ArrayPhotos, RandomCrops
batches = iter(RandomCrops(ArrayPhotos([np.zeros((20, 20, 3), np.uint8)]), 16, 1, 0))
next(batches)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("kind", "pinned"), [("cuda", True), ("cpu", False)])
def test_batches_for_a_gpu_are_pinned_so_that_their_copy_is_not_waited_for(kind: str, pinned: bool) -> None:
    data = PhotoCrops([np.zeros((40, 40, 3), np.uint8)], crop=32, batch=1)
    strategy = SimpleNamespace(root_device=torch.device(kind))
    data.trainer = SimpleNamespace(strategy=strategy, global_step=0, accumulate_grad_batches=1)  # type: ignore[assignment]
    assert data.train_dataloader().pin_memory is pinned
