"""An option that applies to nothing is an error, not ignored."""

import pytest
from infer_command import Run, names, picture


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("clip.mp4 -o clip.gif --codec h264", "--codec is for video files (.mp4 "),
        ("clip.mp4 -o out/%04d.png --crf 20", "--crf is for video files (.mp4 "),
        ("clip.mp4 --quality 80", "--quality is for JPEG and WebP"),
        ("photo.png --quality 80", "--quality is for JPEG and WebP"),
        ("clip.mp4 -o out/%04d.png --quality 80", "--quality is for JPEG and WebP"),
        ("photo.png -o - --format png --quality 80", "--quality is for JPEG and WebP"),
        ("--raw 64x64 --shard 1/2", "--raw cannot be combined with --shard"),
        ("--raw 64x64 --max-pixels 10", "--raw cannot be combined with --max-pixels"),
        ("--camera 0 --shard 1/2", "--camera cannot be combined with --shard"),
        ("--camera 0 --max-pixels 10", "--camera cannot be combined with --max-pixels"),
    ],
)
def test_an_option_that_applies_to_nothing_is_refused(call: Run, command: str, reason: str) -> None:
    code, out, err = call(*command.split(), "-s", "night")
    assert (code, out, len(err)) == (1, [], 1)
    assert reason in err[0]


@pytest.mark.parametrize("output", ["new.jpg", "new.webp"])
def test_a_quality_that_applies_is_taken(call: Run, output: str) -> None:
    assert call("photo.png", "-s", "night", "-o", output, "--quality", "80")[0] == 0


def test_a_quality_may_apply_to_another_shard_alone(call: Run, folder) -> None:
    picture(folder / "in/a.png")
    picture(folder / "in/b.jpg")
    assert call("in", "-s", "night", "-o", "out", "--quality", "80", "--shard", "1/2")[0] == 0
    assert [name for name in names(folder) if name.startswith("out/")] == ["out/a-night.png"]
