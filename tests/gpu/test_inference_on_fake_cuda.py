"""The paths of inference that only a GPU takes, on fake CUDA tensors: they have devices and shapes, and no values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from fake_cuda import CUDA, Transfers, moved
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily

from stylenet.device import fast_dtype
from stylenet.inference.blend import Blend
from stylenet.inference.color import Recoloring
from stylenet.inference.settings import Brush
from stylenet.inference.stylizer import Stylizer
from stylenet.inference.temporal import TemporalInstanceNorm, temporal_statistics
from stylenet.inference.temporal_average import TemporalAverage
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=4, blocks=1, waves=3)


def on_gpu(memory: int | None = None, settings: NetworkSettings = TINY) -> Stylizer:
    """A stylizer whose weights are fake CUDA tensors, put in by hand, as `Module.to` cannot."""
    with unset_fake_temporarily():
        stylizer = Stylizer(TransformerNet(settings), Card("tiny", settings), "cpu", torch.float16)
    moved(stylizer.network)
    stylizer.device, stylizer.memory = CUDA, memory or 20 << 30
    return stylizer


def image(*shape: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=CUDA)


def test_a_gpu_computes_in_half_precision_and_channels_last(fake: FakeTensorMode) -> None:
    stylizer = on_gpu()
    assert fast_dtype(CUDA) == torch.float16
    prepared = stylizer._prepared(image(2, 3, 33, 40))
    assert (prepared.dtype, prepared.device) == (torch.float16, CUDA)
    assert prepared.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize("shape", [(3, 33, 40), (2, 3, 33, 40)])
def test_images_on_the_gpu_stay_there(fake: FakeTensorMode, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    stylizer, photo = on_gpu(), image(*shape, dtype=dtype)
    with Transfers() as transfers:
        stylized = stylizer.stylize(photo)
    assert (stylized.shape, stylized.dtype, stylized.device) == (photo.shape, dtype, CUDA)
    assert transfers.copies == []


def test_bytes_from_the_host_travel_there_and_back_once(fake: FakeTensorMode) -> None:
    stylizer, photo = on_gpu(), torch.empty(3, 32, 40, dtype=torch.uint8)
    with Transfers() as transfers:
        stylized = stylizer.stylize(photo)
    assert stylized.device.type == "cpu"
    assert transfers.copies == [("cpu", "cuda", (1, 3, 32, 40)), ("cuda", "cpu", (3, 32, 40))]


@pytest.mark.parametrize(
    "brush",
    [Brush(0.5), Brush(stroke=2.0), Brush(stroke=0.5), Brush(keep_colors=True)],
    ids=["strength", "broad", "fine", "colors"],
)
@pytest.mark.parametrize("masked", [False, True])
def test_controls_stay_on_the_gpu(fake: FakeTensorMode, brush: Brush, masked: bool) -> None:
    stylizer, photo = on_gpu(), image(3, 40, 48)
    mask = image(10, 10, dtype=torch.float32) if masked else None
    with Transfers() as transfers:
        assert stylizer.stylize(photo, brush, mask).device == CUDA
    assert transfers.copies == []


def test_only_a_palette_comes_to_the_host_to_be_matched(fake: FakeTensorMode, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Recoloring(torch.eye(3, dtype=torch.float64)[None], torch.zeros(1, 3, dtype=torch.float64))
    monkeypatch.setattr("stylenet.inference.brush.fit_color_map", lambda source, target: identity)
    stylizer = on_gpu()
    with Transfers() as transfers:
        stylizer.stylize(image(3, 40, 48), Brush(match_colors=True))
    assert max(np.prod(shape) for _, _, shape in transfers.copies) <= 9


@pytest.mark.parametrize("masked", [False, True])
def test_blends_stay_on_the_gpu(fake: FakeTensorMode, masked: bool) -> None:
    blend = Blend([(on_gpu(), 1.0), (on_gpu(settings=NetworkSettings(width=2, blocks=1)), 1.0)])
    with Transfers() as transfers:
        stylized = blend.stylize(image(3, 32, 40), mask=image(8, 8, dtype=torch.float32) if masked else None)
    assert stylized.device == CUDA
    assert transfers.copies == []


def test_the_temporal_average_stays_on_the_gpu(fake: FakeTensorMode) -> None:
    average, stylizer = TemporalAverage(CUDA), on_gpu()
    with temporal_statistics(nn.ModuleList(stylizer.networks)) as frame_weight, Transfers() as transfers:
        for share in (1.0, 0.1):
            frame_weight.fill_(share)
            frame = image(3, 32, 40)
            assert average.mixed(frame, stylizer.stylize(frame), share).device == CUDA
    assert transfers.copies == []


@pytest.mark.parametrize("temporal", [False, True])
def test_strips_take_statistics_alone_to_the_host(
    fake: FakeTensorMode, monkeypatch: pytest.MonkeyPatch, temporal: bool
) -> None:
    stylizer = on_gpu(memory=200 << 20)
    with maybe_temporal(stylizer, temporal), Transfers() as transfers:
        stylized = stylizer.stylize(image(3, 20_000, 200))
    assert stylized.device == CUDA
    assert max(np.prod(shape) for _, _, shape in transfers.copies) <= 16  # channels


@contextmanager
def maybe_temporal(stylizer: Stylizer, temporal: bool) -> Iterator[None]:
    if not temporal:
        yield
        return
    with temporal_statistics(nn.ModuleList(stylizer.networks)):
        assert any(isinstance(module, TemporalInstanceNorm) for module in stylizer.network.modules())
        yield


@pytest.mark.parametrize(("batch", "side", "whole"), [(1, 5000, True), (1, 6000, False), (5, 2900, False)])
def test_no_image_and_no_batch_is_larger_than_a_kernel_takes(
    fake: FakeTensorMode, batch: int, side: int, whole: bool
) -> None:
    stylizer = on_gpu(memory=80 << 30, settings=NetworkSettings())
    assert stylizer._takes_whole(batch * side**2) is whole
    # The last 3x3 convolution has 64 channels at full size.
    assert (batch * side**2 * 64 < 2**31) or not whole


def test_too_little_memory_leads_to_strips(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """With real tensors, on the CPU, of which the stylizer believes that it is a GPU."""
    network = initialize(TransformerNet(TINY), 0)
    stylizer = Stylizer(network, Card("tiny", TINY), "cpu", torch.float32)
    photo = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    expected = stylizer.stylize(photo).astype(int)

    def full(photos: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(stylizer.network, "forward", full)
    monkeypatch.setattr(stylizer, "_is_gpu", lambda: True)
    np.testing.assert_allclose(stylizer.stylize(photo), expected, atol=1)
    assert "not enough memory on cpu: images of this size are processed in strips" in caplog.text


def test_a_value_that_is_read_fails(fake: FakeTensorMode) -> None:
    reads: list[Callable[[Tensor], object]] = [lambda x: x.sum().item(), lambda x: bool(x.sum() > 0)]
    for read in reads:
        with pytest.raises(Exception), Transfers():  # noqa: B017, PT011
            read(image(3, 20, 20, dtype=torch.float32))
    assert isinstance(image(3), FakeTensor)
