"""Instance norm with a memory, and what it takes for a cut."""

import itertools
import math

import numpy as np
import pytest
import torch

from stylenet.inference.blend import Blend
from stylenet.inference.painter import BoundStyler
from stylenet.inference.stylizer import Stylizer
from stylenet.inference.temporal import (
    CUT,
    FrameWeight,
    changed_share,
    histogram,
    steady_stylizing,
    temporal_statistics,
)
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import InstanceNorm2d, NetworkSettings, TransformerNet, initialize

SETTINGS = NetworkSettings(width=2, blocks=1)
NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def network(seed: int = 0) -> TransformerNet:
    return initialize(TransformerNet(SETTINGS), seed).eval()


def norm(scale: float = 2.0, shift: float = 0.5) -> torch.nn.Sequential:
    result = InstanceNorm2d(1)
    result.weight.data.fill_(scale)
    result.bias.data.fill_(shift)
    return torch.nn.Sequential(result)


@torch.inference_mode()
def test_the_first_frame_is_normalized_by_itself_and_the_next_by_the_average() -> None:
    first, second = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), torch.tensor([5.0, 13.0]).view(1, 1, 1, 2)
    with temporal_statistics(module := norm()) as frame_weight:
        # Mean 2, variance 1.
        torch.testing.assert_close(module(first).flatten(), torch.tensor([-1.5, 2.5]), atol=1e-4, rtol=0)
        frame_weight.fill_(0.25)
        # Means 2 and 9, variances 1 and 16: a quarter of the way to the second, 3.75 and 4.75.
        expected = (torch.tensor([5.0, 13.0]) - 3.75) / math.sqrt(4.75) * 2 + 0.5
        torch.testing.assert_close(module(second).flatten(), expected, atol=1e-4, rtol=0)
        frame_weight.fill_(1.0)
        torch.testing.assert_close(module(second).flatten(), torch.tensor([-1.5, 2.5]), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_statistics_in_half_precision_are_kept_in_full() -> None:
    frames = [torch.full((1, 1, 4, 4), 100.0).add(torch.arange(16.0).view(1, 1, 4, 4) + step) for step in (0, 2)]
    module = norm(1.0, 0.0).to(torch.bfloat16)
    with temporal_statistics(module) as frame_weight:
        module(frames[0].bfloat16())
        frame_weight.fill_(0.05)  # 0.1 towards the second frame: in bf16, numbers about 107 lie 0.5 apart
        module(frames[1].bfloat16())
        assert module[0].mean.item() == pytest.approx(107.6, abs=0.05)


def test_the_networks_own_norms_come_back_and_its_weights_are_the_same() -> None:
    net = network()
    before = dict(net.state_dict())
    norms = [module for module in net.modules() if isinstance(module, InstanceNorm2d)]
    with temporal_statistics(net):
        assert not any(isinstance(module, InstanceNorm2d) for module in net.modules())
    assert [module for module in net.modules() if isinstance(module, InstanceNorm2d)] == norms
    assert net.state_dict().keys() == before.keys()


def test_a_shares_size_follows_the_time_and_not_the_number_of_frames() -> None:
    rhythm = FrameWeight(smoothing=0.5)
    assert rhythm.weight(NOISE, 0.0) == 1
    assert rhythm.weight(NOISE, 0.5) == pytest.approx(1 - 1 / math.e)
    slow = 1 - rhythm.weight(NOISE, 0.7)
    fast = math.prod(1 - rhythm.weight(NOISE, 0.7 + step / 100) for step in range(1, 21))
    assert fast == pytest.approx(slow)


def test_time_that_runs_backwards_begins_anew() -> None:
    rhythm = FrameWeight()
    rhythm.weight(NOISE, 5.0)
    assert rhythm.weight(NOISE, 1.0) == 1


def test_the_histogram_counts_colors_by_their_nearness_to_the_bins() -> None:
    # Bins have their centers at 32, 96, 160 and 224; 128 is half way between two, 32 and what is darker in the first.
    counts = histogram(np.full((9, 9, 3), (128, 32, 0), np.uint8)).reshape(4, 4, 4)
    assert counts[1, 0, 0] == counts[2, 0, 0] == 0.5
    assert counts.sum() == pytest.approx(1)


def scene(seed: int) -> np.ndarray:
    """A wide picture of colored patches, each seed in other colors."""
    random = np.random.default_rng(seed)
    base = random.integers(0, 200, 3)
    return (base + random.integers(0, 56, (6, 40, 3))).astype(np.uint8).repeat(8, 0).repeat(8, 1)


def window(picture: np.ndarray, left: int) -> np.ndarray:
    return picture[:, left : left + 100]


def test_a_fast_pan_is_no_cut_and_a_cut_is_found() -> None:
    first, second = scene(1), scene(2)
    rhythm = FrameWeight()
    film = [window(first, left) for left in range(0, 200, 10)] + [window(second, left) for left in range(0, 200, 10)]
    found = [number for number, frame in enumerate(film) if rhythm.weight(frame, number / 25) == 1]
    assert found == [0, 20]


def test_a_sky_that_grows_lighter_is_no_cut() -> None:
    skies = [np.full((40, 60, 3), level, np.uint8) for level in range(60, 200)]
    steps = [changed_share(histogram(a), histogram(b)) for a, b in itertools.pairwise(skies)]
    assert max(steps) < CUT


def test_a_clip_changes_no_image_and_no_clip_beside_it() -> None:
    one, other = (Stylizer(network(seed), Card("tiny", SETTINGS), "cpu", torch.float32) for seed in (0, 1))
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 48, 3), np.uint8)
    for styler in (one, BoundStyler(Blend([(one, 1.0), (other, 2.0)]))):
        alone = styler.stylize(images[0])
        with steady_stylizing(styler) as stylize:
            expected = [stylize(image, time / 25) for time, image in enumerate(images)]
        with steady_stylizing(styler) as stylize, steady_stylizing(styler) as beside:
            for time, image in enumerate(images):
                np.testing.assert_array_equal(stylize(image, time / 25), expected[time])
                np.testing.assert_array_equal(styler.stylize(images[0]), alone)
                beside(images[2 - time], time / 25)


def test_a_passer_by_changes_the_rest_of_the_picture_less() -> None:
    stylizer = Stylizer(network(), Card("tiny", SETTINGS), "cpu", torch.float32)
    random = np.random.default_rng(0).integers(100, 140, (64, 256, 3), np.uint8)
    crossing = random.copy()
    crossing[:, :20] = 150
    far = slice(128, None)  # beyond what a convolution reaches
    changes = []
    for share in (1.0, 0.08):
        with temporal_statistics(torch.nn.ModuleList(stylizer.networks)) as frame_weight:
            before = stylizer.stylize(random).astype(int)
            frame_weight.fill_(share)
            after = stylizer.stylize(crossing).astype(int)
        changes.append(np.abs(after - before)[:, far].mean())
    assert 0 < changes[1] < changes[0] / 4
