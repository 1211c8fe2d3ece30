"""Batches of images that come from several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from stylenet.pipeline.batching import Batching


class Negative:
    """Inverts arrays; notes the shapes it is given; can be held up."""

    networks = ()

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.free = threading.Event()

    def stylize(self, image: np.ndarray) -> np.ndarray:
        self.shapes.append(image.shape)
        assert self.free.wait(60)
        if image.shape[1] == 13:
            raise ValueError("unlucky")
        return 255 - image


def flat(height: int, value: int) -> Image.Image:
    return Image.new("RGB", (10, height), (value, 0, 0))


def test_images_of_one_size_that_wait_go_together_and_each_gets_its_own() -> None:
    negative = Negative()
    batching = Batching(negative, limit=3)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(batching.stylize, flat(5, 100))
        while not negative.shapes:
            pass
        others = [threads.submit(batching.stylize, flat(height, value)) for value, height in enumerate([5, 6, 5, 5, 5])]
        while len(batching.waiting) < 5:
            pass
        negative.free.set()
        assert first.result().getpixel((0, 0)) == (155, 255, 255)
        assert [image.result().getpixel((0, 0))[0] for image in others] == [255, 254, 253, 252, 251]
        assert [image.result().height for image in others] == [5, 6, 5, 5, 5]
    assert negative.shapes[0] == (1, 5, 10, 3)
    assert sorted(negative.shapes[1:]) == sorted([(3, 5, 10, 3), (1, 5, 10, 3), (1, 6, 10, 3)])


def test_a_failure_is_everyones_in_the_batch_and_the_next_goes_on() -> None:
    negative = Negative()
    negative.free.set()
    batching = Batching(negative)
    with pytest.raises(ValueError, match="unlucky"):
        batching.stylize(flat(13, 0))
    assert batching.stylize(flat(5, 0)).size == (10, 5)
    assert not batching.waiting


def test_pixels_are_not_compared_while_others_wait_for_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[object] = []
    monkeypatch.setattr(Image.Image, "__eq__", lambda image, other: compared.append(other) or image is other)
    negative = Negative()
    batching = Batching(negative, limit=1)
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(batching.stylize, flat(5, 100)) for _ in range(3)]
        while len(batching.waiting) < 2:
            pass
        negative.free.set()
        assert [result.result().size for result in results] == [(10, 5)] * 3
    assert compared == []
