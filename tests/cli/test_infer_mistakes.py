"""Every option of `infer.py`, wrong once. `pytest -rP tests/test_infer_mistakes.py` prints the table."""

import shlex
from pathlib import Path

import pytest
from infer_command import Run

from stylenet.cli.infer_options import parser
from stylenet.cli.infer_video import frame_rate

MISTAKES = {
    "INPUT": ("missing.png -s night", "missing.png: No such file or directory"),
    "--help": ("--help=all", "argument -h/--help: ignored explicit argument 'all'"),
    "--style": ("photo.png -s night:-1 -s night:2", "a style's weight must be a number above 0, got -1"),
    "--output": ("photo.png -s night -o new.heic", "new.heic: cannot write this kind of file; supported: .jpg, "),
    "--device": ("photo.png -s night --device tpu", "there is no device 'tpu'; this machine has: "),
    "--engine": ("photo.png -s night --engine caffe", "argument --engine: invalid choice: 'caffe'"),
    "--list": ("--list=all", "argument --list: ignored explicit argument 'all'"),
    "--strength": ("photo.png -s night --strength 2", "--strength must lie between 0 and 1.5, got 2"),
    "--stroke": ("photo.png -s night --stroke 0", "--stroke must lie between 0.5 and 2, got 0"),
    "--match-colors": ("photo.png -s night --match-colors=no", "--match-colors: ignored explicit argument 'no'"),
    "--keep-colors": ("photo.png -s night --keep-colors=no", "--keep-colors: ignored explicit argument 'no'"),
    "--mask": ("photo.png -s night --mask missing.png", "--mask missing.png: No such file or directory"),
    "--mask-invert": ("photo.png -s night --mask-invert", "--mask-invert needs --mask FILE"),
    "--size": ("photo.png -s night --size 15", "--size: must be a whole number of at least 16, got 15"),
    "--max-size": ("photo.png -s night --max-size -64", "--max-size: must be a whole number of at least 16, got -64"),
    "--max-pixels": ("photo.png -s night --max-pixels 5e8", "--max-pixels: must be a whole number of at least 1"),
    "--format": ("photo.png -s night --format heic", "argument --format: invalid choice: 'heic'"),
    "--quality": ("photo.png -s night --quality 0", "--quality: must be a whole number from 1 to 100, got 0"),
    "--skip-existing": ("photo.png -s night --skip-existing=no", "--skip-existing: ignored explicit argument 'no'"),
    "--painting": ("photo.png -s night --painting photo.png", "--painting and -s exclude each other"),
    "--start": ("clip.mp4 -s night --start soon", "--start: a time is seconds or hours:minutes:seconds, got soon"),
    "--end": (
        "clip.mp4 -s night --start 3 --end 1",
        "--end: the end must be after the start (0:00:03.000), got 0:00:01.000",
    ),
    "--codec": ("clip.mp4 -s night --codec h264 -o new.webm", "--codec: new.webm: webm holds vp9 or av1, not h264"),
    "--crf": ("clip.mp4 -s night --crf 52", "--crf: libx264 takes 0 (best) to 51, got 52"),
    "--steady": ("clip.mp4 -s night --steady nan", "--steady: must be 0 to 3600 seconds, got nan"),
    "--raw": (
        "-s night --raw 640",
        "--raw: a size is WIDTHxHEIGHT in pixels, each at least 16, as in 640x360, got 640",
    ),
    "--rate": ("photo.png -s night --rate 10", "--rate is for videos ("),
    "--shard": ("photo.png -s night --shard 0/16 -o o", "a shard is K/N, from 1/N to N/N as in 3/16, got 0/16"),
    "--camera": ("-s night --camera 999", "there is no camera 999; cameras here (v4l2, /dev/video*): "),
}


@pytest.mark.parametrize("option", MISTAKES)
def test_each_option_wrong_is_one_line(call: Run, folder: Path, option: str) -> None:
    command, reason = MISTAKES[option]
    before = sorted(folder.rglob("*"))
    code, out, err = call(*shlex.split(command))
    print(f"infer.py {command}\n    {code}  {err[0]}")
    assert (code, out, len(err)) == (1, [], 1)
    assert err[0].startswith("infer.py: ")
    assert reason in err[0]
    assert sorted(folder.rglob("*")) == before


def test_no_option_is_missing_above() -> None:
    names = {action.option_strings[-1] if action.option_strings else action.metavar for action in parser()._actions}
    assert names == set(MISTAKES)


def test_a_rate_with_many_decimals_is_one_that_ffmpeg_can_write() -> None:
    rate = frame_rate("23.976023976")
    assert float(rate) == pytest.approx(23.976023976)
    assert max(rate.numerator, rate.denominator) < 2**31
