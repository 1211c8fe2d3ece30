"""Where nothing moves, a video's strokes stay; where something does, nothing old is left."""

import numpy as np
import pytest
import torch

from stylenet.inference.stylizer import Stylizer
from stylenet.inference.temporal import steady_stylizing
from stylenet.inference.temporal_average import Camera, TemporalAverage, edges_of, movement
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

SETTINGS = NetworkSettings(width=2, blocks=1)


def gray(level: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def paved(level: int = 90) -> np.ndarray:
    """A frame with stripes 8 px apart, by whose edges the camera is seen to stand."""
    frame = gray(level)
    frame[:, ::8] += 60
    return frame


def after(*shown: tuple[np.ndarray, np.ndarray], share: float = 0.25) -> np.ndarray:
    """What is seen last of these frames and their pictures."""
    still = TemporalAverage(torch.device("cpu"))
    for number, (frame, picture) in enumerate(shown):
        seen = still.array(still.mixed(still.pixels(frame), still.pixels(picture), share if number else 1.0))
    return seen


def test_of_a_frame_that_stands_still_only_a_share_of_the_new_picture_is_seen() -> None:
    road = paved()
    np.testing.assert_array_equal(after((road, gray(100)), (road, gray(200))), 125)
    # And again: 125 + (200 - 125) / 4 = 143.75.
    np.testing.assert_array_equal(after((road, gray(100)), (road, gray(200)), (road, gray(200))), 144)


def test_a_cameras_noise_is_no_movement() -> None:
    random = np.random.default_rng(0)
    frames = [random.normal(90, 3, (32, 48, 3)).round().astype(np.uint8) for _ in "ab"]
    assert after((frames[0], gray(100)), (frames[1], gray(200))).mean() == pytest.approx(125, abs=1)


def test_a_walker_leaves_nothing_behind() -> None:
    road, walker = paved(), paved()
    walker[8:16, 16:24] = 30
    held = after((road, gray(10)), (walker, gray(100)), (road, gray(200)))
    np.testing.assert_array_equal(held[8:16, 16:24], 200)
    # Away from it: 10 + (100 - 10) / 4 = 32.5, and a quarter of the way from there to 200.
    np.testing.assert_array_equal(held[:, :14], 74)


def test_where_somebody_has_gone_the_strokes_settle_slowly() -> None:
    road, walker = paved(), paved()
    walker[8:16, 16:24] = 30
    seen = after((road, gray(10)), (walker, gray(100)), (road, gray(200)), (road, gray(100)))
    # Three quarters of the unrest are left, of which, with the share of a quarter, 13 / 16 of the new picture come.
    np.testing.assert_array_equal(seen[8:16, 16:24], 119)


def test_when_the_camera_moves_not_even_a_sky_keeps_its_old_strokes() -> None:
    frames = [paved(), np.roll(paved(), 4, axis=1)]
    for frame in frames:
        frame[:16] = 200
    np.testing.assert_array_equal(after((frames[0], gray(100)), (frames[1], gray(200))), 200)


def test_a_slow_pan_adds_up() -> None:
    waves = 128 + 100 * np.sin(np.arange(200) / 10)[None, :, None] * np.ones((32, 1, 3))
    camera, standing = Camera(), []
    for step in range(21):  # a quarter of a pixel a frame: no more than 2.5 levels
        frame = torch.from_numpy(waves).movedim(-1, 0)[None].float()
        frame = torch.lerp(
            frame[..., step // 4 : step // 4 + 100], frame[..., step // 4 + 1 : step // 4 + 101], step % 4 / 4
        )
        standing.append(camera.panning(frame, 0.05).item())
    assert standing[1] == 0
    assert standing[20] == 1


def test_what_changes_too_slowly_to_be_movement_is_seen_all_the_same() -> None:
    evening = [(paved(level), gray(level)) for level in range(190, 100, -1)]
    assert after(*evening)[0, 0, 0] - 101 <= 3  # the mixture lags by (1 - share) / share = 3 frames


def test_neither_a_cut_nor_another_size_keeps_anything() -> None:
    road = paved()
    np.testing.assert_array_equal(after((road, gray(100)), (road, gray(200)), share=1.0), 200)
    np.testing.assert_array_equal(after((road, gray(100)), (gray(90, 20, 20), gray(200, 20, 20))), gray(200, 20, 20))


def test_movement_is_told_from_noise_by_the_mean_change_of_a_square() -> None:
    before, now = torch.full((2, 1, 3, 9, 9), 90.0)
    now[..., 4, 4] += 200  # over 5 x 5 pixels, 8
    assert movement(before, now)[0, 0, 2, 2].item() == pytest.approx(0.5)
    assert movement(before, now)[0, 0, 1, 1].item() == 0
    assert movement(before, before + 12).min().item() == 1  # up to the border


def test_edges_are_steps_to_the_right_and_below_beyond_noise() -> None:
    step = torch.full((1, 1, 3, 3), 90.0)
    step[..., 1, 1] = 100
    # The pixel itself has two steps of 10, those on its left and above it one each; 8 is noise.
    expected = [[0, 2, 0], [2, 12, 0], [0, 0, 0]]
    assert edges_of(step)[0, 0].tolist() == expected


def test_a_frame_turned_upside_down_or_read_only_is_taken(recwarn: pytest.WarningsRecorder) -> None:
    road = paved()[::-1]
    road.flags.writeable = False
    np.testing.assert_array_equal(after((road, gray(100)), (road, gray(200)[:, ::-1])), 125)
    assert not recwarn


def test_a_still_clip_with_noise_flickers_less_than_frame_by_frame() -> None:
    network = initialize(TransformerNet(SETTINGS), 0).eval()
    stylizer = Stylizer(network, Card("tiny", SETTINGS), "cpu", torch.float32)
    random = np.random.default_rng(0)
    scene = random.integers(50, 200, (40, 60, 3))
    frames = [(scene + random.normal(0, 3, scene.shape)).astype(np.uint8) for _ in range(12)]
    flicker = []
    for memory in (0.0, 0.5):
        with steady_stylizing(stylizer, memory) as stylize:
            pictures = np.stack([stylize(frame, number / 25) for number, frame in enumerate(frames)])
        flicker.append(np.abs(np.diff(pictures.astype(float), axis=0)).mean())
    assert flicker[1] < flicker[0] / 4
