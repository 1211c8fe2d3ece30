"""Clips that jump, change, end early or break off within: nothing is lost, and a line says what happened."""

import os
import signal
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import STEADY, corners, make_clip, pictures, times, unchanged
from PIL import Image

from stylenet.errors import UserError
from stylenet.media.video.resets import Resets
from stylenet.media.video.timing import Span
from stylenet.pipeline.clip import ClipJob, stylize_clip
from stylenet.pipeline.plan import plan
from stylenet.pipeline.raw_frames import stylize_raw
from stylenet.pipeline.unfinished import CutShortError, Stopped, keep_unfinished

ONE_KEYFRAME = {"g": "1000", "x264-params": "keyint=1000:min-keyint=1000:scenecut=0"}


def through(source: Path, target: Path, **options: object) -> list[str]:
    said: list[str] = []
    said.append(stylize_clip(unchanged(), ClipJob(source, target, 0.0, **options), said.append))
    return said


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_a_part_begins_where_it_was_asked_for_far_from_a_keyframe(tmp_path: Path, suffix: str) -> None:
    source = make_clip(tmp_path / f"a{suffix}", sound=False, options=ONE_KEYFRAME)
    through(source, tmp_path / "o.mkv", span=Span(Fraction(3, 5)))
    assert times(tmp_path / "o.mkv")[0] == 0
    assert len(times(tmp_path / "o.mkv")) == 10


def test_a_part_behind_a_join_is_found(tmp_path: Path) -> None:
    once = make_clip(tmp_path / "a.ts", sound=False)
    (tmp_path / "c.ts").write_bytes(once.read_bytes() * 2)
    through(tmp_path / "c.ts", tmp_path / "o.mkv", span=Span(Fraction(7, 5)))
    assert len(times(tmp_path / "o.mkv")) == pytest.approx(15, abs=1)


def test_a_later_part_with_an_earlier_clock_follows(tmp_path: Path) -> None:
    make_clip(tmp_path / "late.ts", tuple(600 * 3600 + time for time in STEADY), sound=False)
    early = make_clip(tmp_path / "early.ts", sound=False)
    (tmp_path / "c.ts").write_bytes((tmp_path / "late.ts").read_bytes() + early.read_bytes())
    said = through(tmp_path / "c.ts", tmp_path / "o.mkv")
    assert len(times(tmp_path / "o.mkv")) == 50
    assert times(tmp_path / "o.mkv")[-1] == pytest.approx(1.96, abs=0.1)
    assert any("2 parts" in line for line in said)


def test_a_stream_that_a_part_lacks_goes_on_in_the_part_where_it_is_back(tmp_path: Path) -> None:
    resets, moved = Resets(), {}
    with av.open(str(tmp_path / "o.mkv"), "w") as container:
        video, audio = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=48000)
        for part, streams in enumerate(((video, audio), (video,), (video, audio))):
            for tick in range(50):
                for stream in streams:
                    packet = av.Packet(b"data")
                    packet.stream, packet.time_base, packet.duration = stream, Fraction(1, 25), 1
                    packet.pts = packet.dts = tick
                    moved.setdefault((part, stream.type), resets.moved(packet).dts)
    assert moved[2, "video"] == moved[2, "audio"] == 100


@pytest.mark.parametrize("suffix", [".webp", ".mkv"])
def test_frames_of_another_size_are_scaled_to_the_first_and_counted(tmp_path: Path, suffix: str) -> None:
    make_clip(tmp_path / "a.ts", STEADY[:5], sound=False)
    make_clip(tmp_path / "b.ts", STEADY[:5], lambda _: corners(96, 64), sound=False)
    (tmp_path / "c.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    said = through(tmp_path / "c.ts", tmp_path / f"o{suffix}")
    assert any("of another size scaled to 64 x 48" in line for line in said)


def test_frames_before_a_damaged_image_are_kept_and_the_rest_can_follow(tmp_path: Path) -> None:
    for number in range(1, 6):
        Image.fromarray(corners()).save(tmp_path / f"{number}.png")
    (tmp_path / "4.png").write_bytes(b"no image")
    with pytest.raises(CutShortError, match=r"4\.png.*frames so far are in .*o-unfinished\.mkv") as caught:
        through(tmp_path / "%d.png", tmp_path / "o.mkv")
    assert caught.value.resume_at == Fraction(3, 25)
    assert len(pictures(tmp_path / "o-unfinished.mkv")) == 3


@pytest.fixture
def terminal() -> Iterator[None]:
    """As in a terminal: under nohup, SIGHUP would be ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("terminal")
def test_a_closed_terminal_keeps_the_frames_so_far(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", sound=False)
    stopping = unchanged(lambda count: os.kill(os.getpid(), signal.SIGHUP) if count == 5 else None)
    with pytest.raises(Stopped) as caught:
        stylize_clip(stopping, ClipJob(source, tmp_path / "o.mp4", 0.0), print)
    assert caught.value.code == 128 + signal.SIGHUP
    assert len(pictures(tmp_path / "o-unfinished.mp4")) == 5


def test_a_long_name_leaves_room_for_the_unfinished_part(tmp_path: Path) -> None:
    target = tmp_path / f"{'ü' * 120}.mp4"  # 244 bytes
    (tmp_path / "part").write_bytes(b"frames")
    assert len(os.fsencode(keep_unfinished(tmp_path / "part", target).name)) <= 255


def test_an_unfinished_part_is_no_input_of_the_next_run(tmp_path: Path) -> None:
    for name in ("a.mp4", "a-starry-unfinished.mp4"):
        (tmp_path / name).write_bytes(b"")
    jobs = plan([str(tmp_path)], "starry", skip_existing=True)
    assert [job.source.name for job in jobs] == ["a.mp4"]


def test_deinterlaced_frames_last_as_long_as_before(tmp_path: Path) -> None:
    from test_clip_kinds import interlaced

    through(interlaced(tmp_path / "fields.mp4"), tmp_path / "o.mkv")
    with av.open(str(tmp_path / "o.mkv")) as container:
        durations = [float(p.duration * p.time_base) for p in container.demux(video=0) if p.duration]
    assert durations == pytest.approx([0.04] * len(durations), abs=0.002)


def test_a_file_that_is_cut_off_says_where_it_ends(tmp_path: Path) -> None:
    long = tuple(range(0, 2400, 24))
    noise = np.random.default_rng(0)
    source = make_clip(tmp_path / "a.mkv", long, lambda _: noise.integers(0, 255, (48, 64, 3), np.uint8), sound=False)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    assert any(
        "the file ends at 0:00:0" in line and "of 0:00:04" in line for line in through(source, tmp_path / "o.mkv")
    )


def test_a_gap_in_numbered_images_is_a_line(tmp_path: Path) -> None:
    for number in (1, 2, 3, 7, 8):
        Image.fromarray(corners()).save(tmp_path / f"{number}.png")
    assert any("frames are missing: 4 to 6" in line for line in through(tmp_path / "%d.png", tmp_path / "o.mkv"))


def test_a_start_beyond_all_times_is_a_line(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", STEADY[:3], sound=False)
    with pytest.raises(UserError, match="no frames in that range"):
        through(source, tmp_path / "o.mp4", span=Span(Fraction(99_999_999_999_999)))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_raw_frames_to_a_full_disk_are_a_line() -> None:
    read, write = os.pipe()
    os.write(write, bytes(16 * 16 * 3))
    os.close(write)
    error = pytest.raises(UserError, match="standard output")
    with os.fdopen(read, "rb") as source, open("/dev/full", "wb", buffering=0) as full, error:
        stylize_raw(unchanged(), (16, 16), 0.0, source, full)
