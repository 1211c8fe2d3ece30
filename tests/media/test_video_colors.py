"""Colors and directions of frames, against the standards' own formulas."""

import itertools

import av
import numpy as np
import pytest

from stylenet.media.video.colors import Colors, Converter
from stylenet.media.video.hdr import HLG, PQ, light_to_pq, pq_to_light, to_light, to_sdr
from stylenet.media.video.turning import TURNS, upright

KR_KB = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}  # BT.709, BT.601, BT.2020
COLORS = [(200, 30, 90), (10, 200, 220), (250, 240, 20), (128, 128, 128), (255, 255, 255), (0, 0, 0), (60, 60, 200)]


def planes(color: tuple[int, int, int], matrix: int, full: bool) -> tuple[float, float, float]:
    """Y, Cb and Cr of 8 bits, as BT.709 and BT.601 define them."""
    kr, kb = KR_KB[matrix]
    red, green, blue = (value / 255 for value in color)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    return (255 * y, 128 + 255 * cb, 128 + 255 * cr) if full else (16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr)


def flat(values: tuple[float, float, float], matrix: int, full: bool, size: int = 32) -> av.VideoFrame:
    array = np.empty((size * 3 // 2, size), np.uint8)
    array[:size], array[size : size * 5 // 4], array[size * 5 // 4 :] = (round(value) for value in values)
    frame = av.VideoFrame.from_ndarray(array, format="yuv420p")
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_planes_become_the_colors_that_the_matrix_means(matrix: int, full: bool) -> None:
    for color in COLORS:
        pixels = Converter().to_rgb(flat(planes(color, matrix, full), matrix, full))
        assert np.abs(pixels.astype(int) - color).max() <= 3


@pytest.mark.parametrize("matrix", [1, 6])
def test_colors_become_the_planes_that_the_matrix_means(matrix: int) -> None:
    for color in COLORS:
        frame = Converter().from_rgb(np.full((32, 32, 3), color, np.uint8), Colors(matrix), 32, 32)
        middle = [np.frombuffer(bytes(plane), np.uint8)[0] for plane in frame.planes]
        np.testing.assert_allclose(middle, planes(color, matrix, full=False), atol=1.5)


@pytest.mark.parametrize(("height", "matrix"), [(576, 6), (720, 1)])
def test_an_unnamed_matrix_is_guessed_as_players_do(height: int, matrix: int) -> None:
    assert Colors.of(av.VideoFrame(640, height, "yuv420p")).matrix == matrix


def test_what_is_written_keeps_primaries_and_names_a_matrix_of_8_bits() -> None:
    assert Colors(9, 9, 14, full=True).encoded() == Colors(1, 9, 14)  # BT.2020 without HDR
    assert Colors(6, 6, 6).encoded() == Colors(6, 6, 6)
    assert Colors(9, 9, PQ).encoded() == Colors(1, 1, 1)


def test_pq_and_hlg_are_those_of_bt_2100() -> None:
    # Values of BT.2100 and BT.2408: reference white of 203 cd/m² at 58 % PQ; 0.5 of HLG is a twelfth of the peak.
    np.testing.assert_allclose(light_to_pq(np.array([100, 203, 1000, 10_000])), [0.5081, 0.5807, 0.7518, 1], atol=1e-4)
    np.testing.assert_allclose(pq_to_light(np.array([0.5081])), [100], rtol=2e-3)
    np.testing.assert_allclose(to_light(HLG)[[0, 32768, 65535]], [0, 1 / 12, 1], atol=1e-4)


def gray(code: float, transfer: int) -> int:
    pixels = to_sdr(np.full((2, 2, 3), round(code * 65535), np.uint16), transfer)
    assert np.ptp(pixels) <= 1  # the matrix has six digits
    return int(pixels[0, 0, 0])


def test_dark_hdr_stays_as_bright_as_it_was_and_highlights_end_at_white() -> None:
    # 20 of 203 cd/m², on a screen of gamma 2.4.
    assert gray(float(light_to_pq(np.array(20.0))), PQ) == pytest.approx(255 * (20 / 203) ** (1 / 2.4), abs=1)
    assert gray(float(light_to_pq(np.array(1000.0))), PQ) == gray(1.0, PQ) == 255
    levels = [gray(code, transfer) for transfer in (PQ, HLG) for code in np.linspace(0, 0.75, 40)]
    assert sorted(levels[:40]) == levels[:40]
    assert sorted(levels[40:]) == levels[40:]
    # HLG's 75 % is reference white, PQ's 58 %: both are shown alike (BT.2408).
    assert abs(gray(0.75, HLG) - gray(0.5807, PQ)) <= 2


def test_a_color_of_bt_709_comes_through_bt_2020() -> None:
    # A dull orange of BT.709, in cd/m², with BT.2087's matrix for the way into BT.2020.
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    light = np.array([30.0, 12.0, 3.0])
    codes = (light_to_pq(to_2020 @ light) * 65535).round().astype(np.uint16)
    np.testing.assert_allclose(to_sdr(codes[None, None], PQ)[0, 0], 255 * (light / 203) ** (1 / 2.4), atol=1.5)


@pytest.mark.parametrize("turn", sorted(TURNS))
def test_every_pixel_goes_where_the_display_matrix_says(turn: tuple[int, int, int, int]) -> None:
    a, b, c, d = turn
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    places = {(x, y): (a * x + c * y, b * x + d * y) for x, y in itertools.product(range(3), range(2))}
    left, top = (min(place[axis] for place in places.values()) for axis in (0, 1))
    turned = upright(pixels, turn)
    for (x, y), (to_x, to_y) in places.items():
        np.testing.assert_array_equal(turned[to_y - top, to_x - left], pixels[y, x])
