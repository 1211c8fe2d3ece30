"""A hand on the brush: each control by itself, by hand, and all of them together."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stylenet import Brush, Stylizer
from stylenet.errors import UserError
from stylenet.inference.brush import apply_controls, fade, fit_colors
from stylenet.inference.color import apply_color_map, keep_colors, palette_of
from stylenet.inference.mask import Mask, as_mask, fit_to_image
from stylenet.inference.stroke import back_at_full_size, resample, scale_down
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1)


@pytest.fixture
def stylizer() -> Stylizer:
    return Stylizer(initialize(TransformerNet(TINY), seed=0), Card("tiny", TINY), "cpu", torch.float32)


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (36, 40, 3), np.uint8)


def flat(value: float) -> Tensor:
    return torch.full((1, 3, 4, 4), value)


def noise(seed: int, *size: int) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("strength", "expected"), [(0.0, 0.25), (0.5, 0.375), (1.0, 0.5), (1.5, 0.625)], ids=lambda value: f"{value:g}"
)
def test_strength_leads_along_the_line_from_the_photo_through_the_style(strength: float, expected: float) -> None:
    torch.testing.assert_close(fade(flat(0.25), flat(0.5), strength), flat(expected), rtol=0, atol=1e-7)


def test_beyond_black_and_white_strength_is_clipped() -> None:
    assert torch.equal(fade(flat(0.25), flat(1.0), 1.5), flat(1.0))
    assert torch.equal(fade(flat(0.75), flat(0.0), 1.5), flat(0.0))


def test_strength_0_is_the_photo_itself_and_1_the_look_itself(stylizer: Stylizer, photo: np.ndarray) -> None:
    np.testing.assert_array_equal(stylizer.stylize(photo, Brush(strength=0.0)), photo)
    pixels = noise(0, 20, 24)
    assert torch.equal(stylizer.stylize(pixels, Brush(strength=0.0)), pixels)
    white = np.full((5, 5), 255, np.uint8)
    np.testing.assert_array_equal(stylizer.stylize(photo, Brush(strength=1.0), white), stylizer.stylize(photo))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"strength": -0.1}, "strength must lie between 0 and 1.5, got -0.1"),
        ({"strength": 1.6}, "strength must lie between 0 and 1.5, got 1.6"),
        ({"strength": float("nan")}, "strength must lie between 0 and 1.5, got nan"),
        ({"stroke": 0.4}, "stroke must lie between 0.5 and 2, got 0.4"),
        ({"stroke": float("inf")}, "stroke must lie between 0.5 and 2, got inf"),
    ],
)
def test_a_brush_out_of_range_says_which_range(values: dict[str, float], reason: str) -> None:
    with pytest.raises(UserError) as caught:
        Brush(**values)
    assert str(caught.value) == reason


def test_colors_come_before_strength_and_the_mask_last() -> None:
    photos, stylized = noise(0, 20, 24), noise(1, 20, 24)
    mask = torch.rand(1, 1, 20, 24, generator=torch.Generator().manual_seed(2))
    brush = Brush(strength=1.5, keep_colors=True, match_colors=True)
    colored = keep_colors(photos, apply_color_map(stylized, fit_colors(photos, stylized)))
    further = (photos + 1.5 * (colored - photos)).clamp(0, 1)
    expected = mask * further + (1 - mask) * photos
    torch.testing.assert_close(apply_controls(photos, stylized, brush, mask), expected, atol=1e-5, rtol=0)


def test_a_strip_is_finished_as_it_is_in_the_whole() -> None:
    photos, stylized = noise(0, 20, 24), noise(1, 20, 24)
    mask = torch.linspace(0, 1, 20).view(1, 1, 20, 1).expand(1, 1, 20, 24)
    brush = Brush(0.7, keep_colors=True, match_colors=True)
    colors = fit_colors(photos, stylized)
    strips = [[x[:, :, rows] for x in (photos, stylized, mask)] for rows in (slice(0, 7), slice(7, 20))]
    parts = [apply_controls(photo, picture, brush, part, colors) for photo, picture, part in strips]
    torch.testing.assert_close(torch.cat(parts, 2), apply_controls(photos, stylized, brush, mask))


def test_each_control_composes_with_every_other(stylizer: Stylizer, photo: np.ndarray) -> None:
    mask = np.tile(np.linspace(0, 1, 10), (3, 1))
    choices = product((1.0, 0.6), (1.0, 2.0, 0.5), (False, True), (False, True), (None, mask))
    results = [stylizer.stylize(photo, Brush(*brush), mask) for *brush, mask in choices]
    assert {(result.shape, result.dtype) for result in results} == {(photo.shape, photo.dtype)}
    assert len({result.tobytes() for result in results}) == 48


def test_each_picture_of_a_batch_is_brushed_as_if_alone(stylizer: Stylizer) -> None:
    batch = torch.cat([noise(0, 20, 24), 0.3 * noise(1, 20, 24)])
    brush, mask = Brush(0.8, 2.0, keep_colors=True, match_colors=True), torch.linspace(0, 1, 24).expand(20, 24)
    together = stylizer.stylize(batch, brush, mask)
    torch.testing.assert_close(together, torch.stack([stylizer.stylize(one, brush, mask) for one in batch]))


def test_a_matched_look_has_the_photos_mean_color(stylizer: Stylizer) -> None:
    photo = 0.4 + 0.2 * noise(0, 40, 40)
    matched = stylizer.stylize(photo, Brush(match_colors=True))
    assert (palette_of(stylizer.stylize(photo)).mean - palette_of(photo).mean).norm() > 5
    assert (palette_of(matched).mean - palette_of(photo).mean).norm() < 0.5


GRAY = np.array([[0, 51], [102, 255]], np.uint8)  # 0, 0.2, 0.4, 1


@pytest.mark.parametrize(
    "mask",
    [
        Image.fromarray(GRAY),
        Image.fromarray(GRAY).convert("RGB"),
        Image.fromarray(GRAY.astype(np.uint16) * 257),
        Image.merge("LA", [Image.new("L", (2, 2), 255), Image.fromarray(GRAY)]),  # white on a transparent layer
        GRAY,
        GRAY / 255,
        torch.from_numpy(GRAY),
        torch.from_numpy(GRAY / 255).half(),
    ],
    ids=["L", "RGB", "16 bits", "transparent", "bytes", "doubles", "tensor of bytes", "tensor of halves"],
)
def test_a_mask_of_any_kind_is_white_where_the_style_goes(mask: Mask) -> None:
    torch.testing.assert_close(as_mask(mask), torch.tensor([[0, 0.2], [0.4, 1]]), atol=3e-4, rtol=0)


def test_yes_and_no_make_a_mask_too() -> None:
    for mask in (GRAY > 99, torch.from_numpy(GRAY > 99), Image.fromarray(GRAY > 99)):
        assert torch.equal(as_mask(mask), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))


@pytest.mark.parametrize(
    ("mask", "came"),
    [
        (np.zeros((4, 4, 3), np.uint8), "got (4, 4, 3) of torch.uint8"),
        (np.zeros((0, 4), np.uint8), "got (0, 4) of torch.uint8"),
        (torch.zeros(4, 4, dtype=torch.int64), "got (4, 4) of torch.int64"),
        (np.zeros((4, 4), np.longdouble), "got (4, 4) of float128"),
        (torch.zeros(4, 4).to(torch.float8_e4m3fn), "got (4, 4) of torch.float8_e4m3fn"),
        (torch.zeros(4, 4).to_sparse(), "got (4, 4) of torch.float32"),
        (np.full((4, 4), 255.0), "got 255 to 255"),
        (np.full((4, 4), -1.0), "got -1 to -1"),
        (torch.full((4, 4), torch.nan), "got nan to nan"),
    ],
)
def test_another_mask_is_refused_with_what_came(stylizer: Stylizer, photo: np.ndarray, mask: Mask, came: str) -> None:
    with pytest.raises(UserError) as caught:
        stylizer.stylize(photo, mask=mask)
    assert (
        str(caught.value)
        == f"a mask must be a PIL image, a path, or an array or tensor h w of uint8, bool or floats in [0, 1], {came}"
    )


def test_a_mask_is_stretched_to_the_picture_with_soft_edges() -> None:
    mask = torch.tensor([[0.0, 1.0]])
    expected = torch.tensor([0, 0.25, 0.75, 1]).expand(1, 1, 3, 4)
    torch.testing.assert_close(fit_to_image(mask, 3, 4), expected)
    stripes = (torch.arange(80) % 20 == 0).float().expand(4, 80)  # one column in twenty
    torch.testing.assert_close(fit_to_image(stripes, 4, 4)[0, 0, :, 1:3], torch.full((4, 2), 0.05))
    assert torch.equal(fit_to_image(stripes, 4, 80)[0, 0], stripes)


def test_a_mask_leaves_the_photo_where_it_is_black(stylizer: Stylizer, photo: np.ndarray) -> None:
    mask = np.zeros(photo.shape[:2], bool)
    mask[:, 20:] = True
    masked = stylizer.stylize(photo, mask=mask)
    np.testing.assert_array_equal(masked[:, :20], photo[:, :20])
    np.testing.assert_array_equal(masked[:, 20:], stylizer.stylize(photo)[:, 20:])


@pytest.mark.parametrize(
    ("size", "stroke", "expected"),
    [((60, 100), 2.0, (30, 50)), ((61, 100), 0.5, (122, 200)), ((20, 100), 2.0, (16, 50)), ((10, 100), 2.0, (10, 50))],
)
def test_wider_strokes_are_painted_on_a_smaller_photo(
    size: tuple[int, int], stroke: float, expected: tuple[int, int]
) -> None:
    assert scale_down(torch.zeros(1, 3, *size), stroke).shape == (1, 3, *expected)


@pytest.fixture
def room() -> Tensor:
    """Black beside white, with grain on either side."""
    grain = 0.04 * (noise(0, 40, 48) - 0.5)
    return grain + torch.where(torch.arange(48) < 23, 0.1, 0.9)


def test_at_full_size_the_photos_edges_are_back_and_its_grain_is_not(room: Tensor) -> None:
    small = scale_down(room, 2.0)
    soft, found = resample(small, 40, 48), back_at_full_size(small, small, room)
    edge, wall = slice(21, 25), slice(4, 18)
    assert (soft - room)[..., edge].abs().max() > 0.3
    assert (found - room)[..., edge].abs().max() < 0.07
    lost, regained = ((x - soft)[..., wall].std() for x in (room, found))
    assert regained < 0.15 * lost


def test_edges_are_as_faint_as_the_style_made_them(room: Tensor) -> None:
    small = scale_down(room, 2.0)
    styles = (0.1 + 0.8 * small, 0.4 + 0.2 * small)
    edges, faint_edges = (back_at_full_size(style, small, room) - resample(style, 40, 48) for style in styles)
    assert edges.abs().max() > 0.2
    torch.testing.assert_close(faint_edges, edges / 4, atol=0.02, rtol=0)


def test_finer_strokes_come_back_without_help_from_the_photo(room: Tensor) -> None:
    large = noise(3, 80, 96)
    plain = F.interpolate(large, size=(40, 48), mode="bicubic", antialias=True).clamp(0, 1)
    assert torch.equal(back_at_full_size(large, scale_down(room, 0.5), room), plain)


def test_a_picture_too_small_is_refused_in_its_own_size(stylizer: Stylizer) -> None:
    assert stylizer.stylize(noise(0, 16, 16), Brush(stroke=2.0)).shape == (1, 3, 16, 16)
    with pytest.raises(UserError, match="at least 16 px wide and high, got 10 x 10"):
        stylizer.stylize(noise(0, 10, 10), Brush(stroke=2.0))


LOOKS = {"aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero", "aten::equal"}


class NoLook(TorchDispatchMode):
    """Fails when a value is read back, for which a GPU would have to finish first."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        assert func.name().split(".")[0] not in LOOKS, "a value was read"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("brush", [Brush(), Brush(0.8, 2.0, keep_colors=True)], ids=["plain", "brushed"])
def test_bytes_are_stylized_without_waiting_for_a_value(stylizer: Stylizer, photo: np.ndarray, brush: Brush) -> None:
    with NoLook():
        stylizer.stylize(photo, brush, np.full((4, 4), 128, np.uint8))
    with NoLook(), pytest.raises(AssertionError, match="a value was read"):
        stylizer.stylize(photo / 255)  # on the CPU floats are looked at


def test_warming_up_goes_all_the_way(stylizer: Stylizer) -> None:
    stylizer.warmup(20, 30, Brush(0.5, 2.0))
    with pytest.raises(UserError, match="at least 16 px wide and high, got 30 x 15"):
        stylizer.warmup(15, 30)


def test_controls_of_an_image_in_strips_are_those_of_the_whole(
    photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylenet.inference.brush.STRIP_PIXELS", 40 * 5)
    network, brush = initialize(TransformerNet(TINY), seed=0), Brush(0.7, keep_colors=True, match_colors=True)
    mask = np.tile(np.linspace(0, 1, 10), (3, 1))
    whole, strips = (Stylizer(network, Card("t", TINY), "cpu", torch.float32, memory=size) for size in (None, 80_000))
    assert not strips._takes_whole(36 * 40)
    difference = strips.stylize(photo, brush, mask).astype(int) - whole.stylize(photo, brush, mask)
    assert np.abs(difference).max() <= 2  # the network's own image was rounded


def test_controls_of_a_large_image_make_no_floats_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylenet.inference.brush.STRIP_PIXELS", 64 * 16)
    large = Stylizer(initialize(TransformerNet(TINY), 0), Card("t", TINY), "cpu", torch.float32, memory=200_000)
    sizes: list[int] = []
    whole = np.zeros((400, 64, 3), np.uint8)
    with AllocatedFloats(sizes):
        large.stylize(whole, Brush(0.7, keep_colors=True, match_colors=True))
    assert 0 < max(sizes) < whole.size


class AllocatedFloats(TorchDispatchMode):
    """Collects the sizes of all floats that operations give."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point():
            self.sizes.append(result.numel())
        return result


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you tried")])
def test_controls_without_enough_memory_are_one_line(
    stylizer: Stylizer, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def no_memory(*_: object) -> Tensor:
        raise error

    monkeypatch.setattr("stylenet.inference.painter.apply_controls", no_memory)
    with pytest.raises(UserError, match=r"^not enough memory on cpu for 40 x 36 pixels$"):
        stylizer.stylize(photo, Brush(0.5))
