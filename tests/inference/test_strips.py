"""Pictures in strips: the same picture as the whole, in memory that is bounded."""

import resource
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from stylenet import Stylizer
from stylenet.errors import UserError
from stylenet.inference.passes import Features, Norm, Plan
from stylenet.inference.settings import Brush
from stylenet.inference.spill import PAGE, SpillBuffer
from stylenet.inference.strips import Strips, bytes_per_pixel
from stylenet.inference.temporal import steady_stylizing
from stylenet.models.plane_waves import PlaneWaves
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import InstanceNorm2d, NetworkSettings, ReflectConv2d, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1, waves=3)
CPU = torch.device("cpu")


def random(network: TransformerNet, dtype: torch.dtype = torch.float64) -> TransformerNet:
    """With norms that have something to say: as they are made, they scale by 1 and shift by 0."""
    initialize(network, seed=0)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, InstanceNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator)
            nn.init.uniform_(module.bias, -0.5, 0.5, generator)
        if isinstance(module, PlaneWaves):
            nn.init.uniform_(module.weight, -0.1, 0.1, generator)
    return network.to(dtype).eval()


def photo(height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height * width))
    return noise.mul(torch.linspace(0.1, 1, height)[:, None]).to(dtype)  # no strip is like another


def scarce(network: TransformerNet, width: int) -> int:
    """Memory for strips of 8 rows, the fewest there may be, and for a little of what waits."""
    return int(30 * width * bytes_per_pixel(network))


def strips_of(network: TransformerNet, picture: Tensor, memory: int | None = None) -> Strips:
    height, width = picture.shape[2:]
    memory = scarce(network, width) if memory is None else memory
    return Strips(network, lambda first, end: picture[:, :, first:end], height, width, memory)


def stylized(strips: Strips) -> Tensor:
    rows: list[tuple[int, Tensor]] = []
    strips.stylize(lambda first, strip: rows.append((first, strip.clone())))
    assert [first for first, _ in rows] == [0, *accumulate(strip.shape[2] for _, strip in rows)][:-1]
    return torch.cat([strip for _, strip in rows], 2)


@given(
    st.integers(16, 90),
    st.integers(16, 40),
    st.integers(1, 4),
    st.integers(1, 2),
    st.integers(1, 2),
    st.sampled_from([0, 5, 12]),
    st.sampled_from([0, 20]),
)
@settings(max_examples=40, deadline=None)
@torch.inference_mode()
def test_strips_give_what_the_whole_gives_at_any_size(
    height: int, width: int, channels: int, blocks: int, fold: int, margin: int, black: int
) -> None:
    form = NetworkSettings(channels, blocks, fold, waves=3, margin=margin, black=black)
    network, picture = random(TransformerNet(form)), photo(height, width)
    strips = strips_of(network, picture)
    assert len(strips.edges) > height // 16
    torch.testing.assert_close(stylized(strips), network(picture), atol=1e-12, rtol=0)


@torch.inference_mode()
def test_the_usual_network_in_fp32_is_within_90_db_of_the_whole() -> None:
    network, picture = random(TransformerNet(), torch.float32), photo(101, 50, torch.float32)
    error = (stylized(strips_of(network, picture)) - network(picture)).square().mean().item()
    assert -10 * np.log10(error) > 90


@torch.inference_mode()
def test_what_waits_in_the_file_comes_back_as_from_memory() -> None:
    network, picture = random(TransformerNet(TINY), torch.bfloat16), photo(200, 300, torch.bfloat16)
    in_memory, in_file = strips_of(network, picture), strips_of(network, picture)
    in_memory.buffer.in_memory, in_file.buffer.in_memory = 1000, 0
    assert torch.equal(stylized(in_memory), stylized(in_file))
    assert in_memory.buffer.file is None
    assert in_file.buffer.file is not None
    assert in_file.buffer.file.closed


@pytest.mark.parametrize(("height", "width"), [(253, 59), (66, 18)])
@torch.inference_mode()
def test_linear_networks_go_through_odd_sizes_without_padding(height: int, width: int) -> None:
    network, picture = random(TransformerNet(NetworkSettings(2, 1, output="linear"))), photo(height, width)
    torch.testing.assert_close(stylized(strips_of(network, picture)), network(picture), rtol=0, atol=1e-12)


@torch.inference_mode()
def test_no_more_than_twice_the_trunk_waits_at_a_time() -> None:
    network, picture = random(TransformerNet(TINY), torch.bfloat16), photo(1024, 2048, torch.bfloat16)
    strips = strips_of(network, picture, memory=40_000_000)
    stylized(strips)
    trunk = 2 * 8 * 256 * 512  # bytes: bf16, 8 channels at a quarter of each side
    assert 2 * trunk <= strips.buffer.pages * PAGE < 2.5 * trunk
    assert len(strips.buffer.free) == strips.buffer.pages  # nothing is left


def test_progress_counts_the_rows_of_the_picture() -> None:
    network, seen = random(TransformerNet(TINY)), list[tuple[int, int]]()
    strips_of(network, photo(66, 24)).stylize(lambda first, rows: None, lambda *rows: seen.append(rows))
    assert seen == sorted(seen)
    assert len(set(seen)) > 10
    assert seen[-1] == (66, 66)


@pytest.mark.parametrize(("dtype", "offset"), [(torch.float32, 1000), (torch.bfloat16, 3)])
def test_statistics_are_in_fp32_at_least_and_safe_far_from_zero(dtype: torch.dtype, offset: float) -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 50, 40)) * np.array([0.1, 1, 10]).reshape(3, 1, 1)
    norm, rows = Norm(InstanceNorm2d(3).to(dtype)), torch.from_numpy(x + offset).to(dtype)
    for strip in rows.split([2, 30, 11, 7], dim=2):
        norm.measure(strip)
    exact = rows.double().numpy()
    np.testing.assert_allclose(norm.mean, exact.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(norm.variance, exact.var((0, 2, 3)), rtol=1e-3)


def test_a_layer_that_is_not_known_is_refused_rather_than_done_wrong() -> None:
    layers = nn.Sequential(ReflectConv2d(3, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(TypeError, match="BatchNorm2d"):
        Plan(layers, Features(lambda last: iter(()), 3), SpillBuffer(0, CPU))


def test_strips_of_a_wide_picture_exceed_the_default_memory_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    network, photo = random(TransformerNet(TINY)), np.random.default_rng(0).integers(0, 256, (64, 90, 3), np.uint8)
    card = Card("tiny", TINY)
    whole = Stylizer(network, card, "cpu", torch.float32).stylize(photo)
    monkeypatch.setattr("stylenet.inference.stylizer.working_memory", lambda device: 20_000)
    difference = Stylizer(network, card, "cpu", torch.float32).stylize(photo).astype(int) - whole
    assert np.abs(difference).max() <= 1
    with pytest.raises(UserError, match="strips of an image 90 px wide"):
        Stylizer(network, card, "cpu", torch.float32, memory=20_000).stylize(photo)


def test_a_picture_that_is_too_wide_or_too_small_is_one_line() -> None:
    network = random(TransformerNet(TINY))
    with pytest.raises(
        ValueError, match=r"strips of an image 64 px wide take 0\.2 MB of memory, and 0\.0 MB are allowed"
    ):
        strips_of(network, photo(64, 64), memory=9000)
    with pytest.raises(ValueError, match="at least 16 px wide and high, got 64 x 15"):
        strips_of(network, photo(15, 64))


def test_a_full_disk_is_one_line() -> None:
    buffer, before = SpillBuffer(0, CPU), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * PAGE, before[1]))  # as the system stops a file at a quota
    try:
        buffer.put(torch.zeros(2, PAGE, dtype=torch.uint8))
        with pytest.raises(ValueError, match=r"cannot write features to /.*: File too large; TMPDIR names another"):
            buffer.put(torch.zeros(PAGE, dtype=torch.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        buffer.close()


@pytest.fixture
def network() -> TransformerNet:
    return random(TransformerNet(TINY), torch.float32)


def stylizer(network: TransformerNet, memory: int | None) -> Stylizer:
    return Stylizer(network, Card("tiny", TINY), "cpu", torch.float32, memory=memory)


@pytest.mark.parametrize("kind", ["image", "array", "tensor", "batch"])
def test_the_stylizer_takes_strips_by_itself(network: TransformerNet, kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 50, 3), np.uint8)
    tensor = torch.from_numpy(pixels).movedim(-1, 0)
    pictures = {
        "image": Image.fromarray(pixels),
        "array": pixels,
        "tensor": tensor,
        "batch": tensor.expand(2, -1, -1, -1),
    }
    seen = list[int]()
    little, enough = stylizer(network, scarce(network, 50)), stylizer(network, 1 << 30)
    for either in (little, enough):
        either.watch(lambda done, of: seen.append(done))
    one = np.asarray(little.stylize(pictures[kind]))
    assert seen
    seen.clear()
    other = np.asarray(enough.stylize(pictures[kind]))
    assert not seen
    assert one.shape == other.shape
    np.testing.assert_allclose(one.astype(int), other.astype(int), atol=1)
    assert (one != other).mean() < 1e-3


def test_floats_go_in_strips_as_floats(network: TransformerNet) -> None:
    picture = photo(90, 50)[0]
    little, enough = (stylizer(network, memory).stylize(picture) for memory in (scarce(network, 50), 1 << 30))
    assert little.dtype == torch.float64
    torch.testing.assert_close(little, enough, atol=1e-5, rtol=0)


def test_the_memory_for_a_whole_picture_is_reckoned_at_its_widest_convolution() -> None:
    # At the last 3x3, 64 channels upsampled to full size, once more with a border, and 32 that come out; and half more.
    assert bytes_per_pixel(TransformerNet()) == (64 + 64 + 32) * 4 * 1.5
    assert bytes_per_pixel(TransformerNet(NetworkSettings(width=8)).half()) == (16 + 16 + 8) * 2 * 1.5


def test_peak_memory_does_not_grow_with_the_picture() -> None:
    code = """
import resource, torch
from stylenet.models.transformer_net import NetworkSettings, TransformerNet
from stylenet.inference.strips import Strips
network = TransformerNet(NetworkSettings(4, 1)).eval()
for height in (256, 4096):
    strips = Strips(network, lambda first, end: torch.rand(1, 3, end - first, 1024), height, 1024, 16_000_000)
    strips.stylize(lambda first, rows: None)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    small, large = map(float, done.stdout.split())
    assert large - small < 16


def test_a_large_image_is_in_memory_once_and_its_result_once() -> None:
    code = """
import resource
from PIL import Image
from stylenet import Stylizer
from stylenet.models.transformer_net import NetworkSettings, TransformerNet
from stylenet.models.style_file import Card
settings = NetworkSettings(1, 1, 2)
stylizer = Stylizer(TransformerNet(settings), Card("tiny", settings), "cpu", memory=8_000_000)
stylizer.stylize(Image.new("RGB", (4000, 256)))
photo = Image.new("RGB", (4000, 4000))
photo.load()
peak = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]
stylizer.stylize(photo)
peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print((peak[1] - peak[0]) * 1024 / 16e6)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 6  # bytes a pixel for the result, of which Pillow takes 4


@torch.inference_mode()
def test_a_video_in_strips_has_the_temporal_statistics_of_whole_frames(network: TransformerNet) -> None:
    frames = [np.random.default_rng(0).integers(0, 200, (90, 50, 3), np.uint8) for _ in range(3)]
    for number, frame in enumerate(frames):  # someone comes into view
        frame[:, : 2 * number] = 255
    made = []
    for memory in (scarce(network, 50), 1 << 30):
        with steady_stylizing(stylizer(network, memory)) as stylize:
            made.append(np.stack([stylize(frame, time / 25) for time, frame in enumerate(frames)]).astype(int))
    np.testing.assert_allclose(made[0], made[1], atol=1)
    assert np.abs(made[1][2] - stylizer(network, 1 << 30).stylize(frames[2])).max() > 1  # it does make a difference


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_controls_take_floats_of_any_kind_in_strips(network: TransformerNet, kind: torch.dtype) -> None:
    pixels = torch.rand(3, 90, 50)
    brush = Brush(strength=0.5, match_colors=True)
    mask = np.linspace(0, 1, 90 * 50).reshape(90, 50)
    whole = stylizer(network, None).stylize(pixels, brush, mask)
    strips = stylizer(network, 40_000_000).stylize(pixels.to(kind), brush, mask)
    assert strips.dtype == kind
    torch.testing.assert_close(strips.float(), whole, atol=0.02, rtol=0)
