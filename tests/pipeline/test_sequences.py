"""Numbered images: which number each frame has, also in a part of a clip, and files that they must not replace."""

import os
import re
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import STEADY, UNEVEN, make_clip, unchanged
from infer_command import Run, picture
from pictures import GRADIENT
from PIL import Image

from stylenet.cli.infer_video_run import with_advice
from stylenet.errors import UserError
from stylenet.media.video.timing import Span, read_time
from stylenet.pipeline.clip import ClipJob, Stopped, stylize_clip
from stylenet.pipeline.job import Job
from stylenet.pipeline.plan import plan


def scene(number: int) -> np.ndarray:
    return np.roll(GRADIENT, 3 * number, 1)


def numbered(folder: Path, *numbers: int) -> Path:
    folder.mkdir()
    for number in numbers:
        Image.fromarray(scene(number)).save(folder / f"{number:04}.png")
    return folder / "%04d.png"


def animated(path: Path) -> Path:
    images = [Image.fromarray(scene(number)) for number in range(8)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=[50, 70, 90, 30, 110, 50, 70, 40])
    return path


SOURCES: dict[str, Callable[[Path], Path]] = {
    "clip": lambda folder: make_clip(folder / "a.mp4", STEADY[:8], scene, sound=False),
    "uneven clip": lambda folder: make_clip(folder / "a.mkv", UNEVEN, scene, sound=False),
    "animation": lambda folder: animated(folder / "a.gif"),
    "images": lambda folder: numbered(folder / "in", *range(1001, 1009)),
    "images with gaps": lambda folder: numbered(folder / "in", 1, 2, 5, 8, 9, 10, 14, 15),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stopped_start(source: Path, target: Path, rate: Fraction, span: Span) -> Span:
    """The span that the advice names after a stop within the third frame."""
    stopping = unchanged(lambda count: os.kill(os.getpid(), signal.SIGTERM) if count == 3 else None)
    with pytest.raises(Stopped) as stop:
        stylize_clip(stopping, ClipJob(source, target, 0.0, span, rate=rate), print)
    return Span(read_time(re.search(r"--start (\S+)$", with_advice(stop.value))[1]))


@pytest.mark.parametrize("kind", SOURCES)
def test_parts_of_a_clip_that_was_stopped_twice_are_the_files_of_one_run(tmp_path: Path, kind: str) -> None:
    source, rate = SOURCES[kind](tmp_path), Fraction(24)
    stylize_clip(unchanged(), ClipJob(source, tmp_path / "whole/%03d.png", 0.0, rate=rate), print)
    target, span = tmp_path / "parts/%03d.png", Span()
    for _ in range(2):
        span = stopped_start(source, target, rate, span)
    before = contents(tmp_path / "parts")
    assert len(before) == 6
    stylize_clip(unchanged(), ClipJob(source, target, 0.0, span, rate=rate), print)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_images_keep_the_numbers_of_their_files_and_count_as_done(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in", 1, 2, 5), tmp_path / "out/%d.png"
    job = Job(source, target, is_clip=True)
    assert not job.is_done()
    stylize_clip(unchanged(), ClipJob(source, target, 0.0), print)
    assert sorted(contents(tmp_path / "out")) == ["1.png", "2.png", "5.png"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/5.png")), scene(5))
    assert job.is_done()


@pytest.mark.parametrize("output", ["in/%d.png", "in/%04d.png", "link/%04d.png"])
def test_no_image_of_a_sequence_takes_the_place_of_an_input(tmp_path: Path, output: str) -> None:
    source = numbered(tmp_path / "in", 1001, 1002)
    (tmp_path / "link").symlink_to("in")
    with pytest.raises(UserError, match=r"would overwrite the input .*in/100[12]\.png$"):
        plan([str(source)], "night", str(tmp_path / output))
    assert plan([str(source)], "night", str(tmp_path / "out/%d.png"))


def test_a_single_image_for_a_pattern_is_named_as_one(tmp_path: Path) -> None:
    numbered(tmp_path / "in", 1)
    with pytest.raises(
        UserError, match=r"50%dark\.png is a pattern of numbered images, and .*0001\.png a single image"
    ):
        plan([str(tmp_path / "in/0001.png")], "night", str(tmp_path / "50%dark.png"))


def test_no_image_of_a_sequence_takes_the_place_of_the_mask(call: Run, folder: Path) -> None:
    for name in ("in", "out"):
        numbered(folder / name, 1)
    before = (folder / "out/0001.png").read_bytes()
    code, out, err = call("in/%04d.png", "-s", "night", "--mask", "out/0001.png", "-o", "out/%04d.png")
    assert (code, out) == (1, [])
    assert "--mask out/0001.png would be overwritten; choose another output with -o" in err[0]
    assert (folder / "out/0001.png").read_bytes() == before


def test_a_missing_sequence_does_not_end_a_batch_that_skips_what_is_there(call: Run, folder: Path) -> None:
    picture(folder / "one.png")
    code, _, err = call("one.png", "missing/%04d.png", "-s", "night", "-o", "made", "--skip-existing")
    assert (code, len(err)) == (1, 1)
    assert "missing" in err[0]
    assert (folder / "made/one-night.png").exists()


def test_numbered_images_of_a_video_cannot_be_skipped(call: Run, folder: Path) -> None:
    make_clip(folder / "clip.mp4", STEADY[:2], sound=False)
    code, _, err = call("clip.mp4", "-s", "night", "-o", "f/%04d.png", "--skip-existing")
    line = "infer.py: error: --skip-existing cannot tell how many numbered images a video becomes; leave it out"
    assert (code, err) == (1, [line])
