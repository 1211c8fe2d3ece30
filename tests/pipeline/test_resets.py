"""Clips whose times begin again, as of recordings joined by `cat`."""

from itertools import pairwise
from pathlib import Path

import pytest
from clips import STEADY, make_clip, packets, times, unchanged

from stylenet.pipeline.clip import ClipJob, stylize_clip


@pytest.mark.parametrize("target", ["whole.mkv", "whole.mp4"])
def test_both_parts_of_a_joined_clip_are_kept_with_their_sound(tmp_path: Path, target: str) -> None:
    part = make_clip(tmp_path / "a.ts", STEADY[:25])
    (tmp_path / "c.ts").write_bytes(part.read_bytes() * 2)
    for name, output in (("a.ts", f"part-{target}"), ("c.ts", target)):
        stylize_clip(unchanged(), ClipJob(tmp_path / name, tmp_path / output, 0.0), print)
    once, twice = times(tmp_path / f"part-{target}"), times(tmp_path / target)
    assert len(twice) == 2 * len(once)
    steps = [after - before for before, after in pairwise(twice)]
    assert all(0.03 < step < 0.12 for step in steps)
    sound = packets(tmp_path / target, "audio")
    assert len(sound) >= 2 * len(packets(tmp_path / f"part-{target}", "audio")) - 1
    assert sound[-1][0] > 1.9
