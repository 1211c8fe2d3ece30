"""Images with nothing on them: what the network makes of them does not depend on noise that nobody sees."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from stylenet.inference.stylizer import Stylizer
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.models.uniform_images import extremes, replace_uniform_images

SETTINGS = NetworkSettings(width=4, blocks=1, waves=3)
NOISE = np.random.default_rng(0).integers(-1, 2, (160, 40, 3))


def stylizer(dtype: torch.dtype = torch.float32) -> Stylizer:
    network = initialize(TransformerNet(SETTINGS), 0)
    with torch.no_grad():
        for module in network.modules():
            if hasattr(module, "origin"):
                module.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    return Stylizer(network, Card("night", SETTINGS), "cpu", dtype)


def gray(noise: np.ndarray | int = 0) -> np.ndarray:
    return (np.full((160, 40, 3), 128) + noise).astype(np.uint8)


WAYS: dict[str, Callable[[Stylizer, np.ndarray], np.ndarray]] = {
    "array": lambda by, image: by.stylize(image),
    "image": lambda by, image: np.asarray(by.stylize(Image.fromarray(image))),
    "floats": lambda by, image: by.stylize(image / np.float32(255)) * 255,
}


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "strips"])
@pytest.mark.parametrize("way", WAYS)
def test_noise_that_nobody_sees_changes_nothing(way: str, whole: bool) -> None:
    by = stylizer()
    by.memory = by.memory if whole else int(0.9 * 160 * 40 * by.bytes_per_pixel)
    assert by._takes_whole(160 * 40) is whole
    plain, noisy = (WAYS[way](by, image).astype(float) for image in (gray(), gray(NOISE)))
    assert np.abs(plain - noisy).max() <= 1
    assert plain.std() > 1  # the pattern fills it


def test_half_precision_agrees_with_single() -> None:
    single, half = (stylizer(dtype).stylize(gray(NOISE)).astype(int) for dtype in (torch.float32, torch.bfloat16))
    assert np.abs(single - half).max() <= 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("unit", [1, np.float32(255)], ids=["bytes", "floats"])
def test_half_precision_sees_no_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, unit: float
) -> None:
    seen: list[int] = []
    by = stylizer(dtype)
    monkeypatch.setattr(by, "network", lambda photos: [seen.append(photos.unique().numel()), photos][1])
    for level in range(0, 253, 4):
        image = np.full((16, 16, 3), level, np.uint8)
        image[3, 5] += 3
        by.stylize(image if unit == 1 else image / unit)
    assert set(seen) == {1}


def test_one_visible_pixel_is_something_to_see() -> None:
    images = torch.full((2, 3, 40, 40), 100, dtype=torch.uint8)
    images[1, 2, 33, 7] = 105
    floats = images.float() / 255
    result = replace_uniform_images(floats, extremes(images))
    assert torch.equal(result[1], floats[1])
    assert torch.equal(result[0], floats[0])
    images[0, 0, 5, 5] = 102
    assert replace_uniform_images(images.float() / 255, extremes(images))[0].unique().numel() == 2  # one number a color
