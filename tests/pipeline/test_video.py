"""Clips from file to file: sound, times, directions, parts, stops; raw frames; and what is said when it cannot be."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import STEADY, TIME_BASE, UNEVEN, corners, fonts, make_clip, packets, pictures, times, unchanged

from stylenet.cli.infer_video_run import with_advice
from stylenet.errors import UserError
from stylenet.inference.stylizer import Stylizer
from stylenet.media.video.codecs import CODECS, Codec
from stylenet.media.video.timing import Span, read_time, written_time
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.pipeline import camera
from stylenet.pipeline.clip import ClipJob, Stopped, stylize_clip
from stylenet.pipeline.raw_frames import stylize_raw

ROOT = Path(__file__).parents[2]
Lines = tuple[int, list[str], list[str]]  # exit code, output, complaints


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4")


WHOLE = Span()


def through(
    source: Path,
    target: Path,
    span: Span = WHOLE,
    stylizer: Stylizer | None = None,
    codec: str | None = None,
    quality: int | None = None,
    **options: object,
) -> list[str]:
    """The clip through a network that changes nothing; what was said."""
    said: list[str] = []
    job = ClipJob(source, target, 0.0, span, codec=codec, crf=quality, **options)
    said.append(stylize_clip(stylizer or unchanged(), job, said.append))
    return said


def duration(path: Path) -> float:
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def test_times_and_sound_stay_as_they_were(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "uneven.mp4", UNEVEN)
    said = through(source, tmp_path / "out.mp4")
    assert len(said) == 1
    assert said[0].startswith(f"{source} -> {tmp_path / 'out.mp4'}  64 x 48, 9 frames in ")
    assert times(tmp_path / "out.mp4") == [time * TIME_BASE for time in UNEVEN]
    assert packets(tmp_path / "out.mp4", "audio") == packets(source, "audio")
    assert duration(tmp_path / "out.mp4") == pytest.approx(duration(source), abs=0.001)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["title"] == "A clip"


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "hevc"), (".mkv", "vp9"), (".mov", None), (".mp4", "av1")])
def test_every_codec_keeps_the_times(clip: Path, tmp_path: Path, suffix: str, codec: str | None) -> None:
    target = tmp_path / f"out{suffix}"
    through(clip, target, codec=codec)
    first, *rest = times(target)
    assert [time - first for time in rest] == [time * TIME_BASE for time in STEADY[1:]]
    assert [data for _, data in packets(target, "audio")] == [data for _, data in packets(clip, "audio")]


def test_subtitles_are_copied_where_the_file_can_hold_them_else_named(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mkv", subtitle="Hello")
    through(source, tmp_path / "out.mkv")
    assert packets(tmp_path / "out.mkv", "subtitles") == [(Fraction(200, 1000), b"Hello")]
    said = through(source, tmp_path / "out.mp4")
    assert said[0] == f"{source}: left out of the .mp4 file: subtitle 2 (subrip)"
    assert len(packets(tmp_path / "out.mp4", "audio")) == len(packets(source, "audio"))


def test_colors_stay_within_a_few_levels(clip: Path, tmp_path: Path) -> None:
    through(clip, tmp_path / "out.mp4")
    before, after = (np.stack(pictures(path)).astype(int) for path in (clip, tmp_path / "out.mp4"))
    inner = np.abs(after - before).reshape(25, 2, 24, 2, 32, 3)[:, :, 4:20, :, 4:28]  # off the colors' edges
    assert inner.max() <= 4
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (6, 1)  # BT.601, 16 to 235


def test_a_lower_quality_is_a_smaller_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (25, 48, 64, 3), np.uint8)
    source = make_clip(tmp_path / "noise.mp4", picture=lambda number: noise[number], sound=False)
    sizes = []
    for quality in (10, 40):
        through(source, tmp_path / "out.mp4", quality=quality)
        sizes.append((tmp_path / "out.mp4").stat().st_size)
    assert sizes[1] < sizes[0] / 2


def test_a_turned_clip_becomes_upright(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "turned.mp4", rotation=90)
    through(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    pixels = frame.to_ndarray(format="rgb24").astype(int)
    assert (pixels.shape, frame.rotation) == ((64, 48, 3), 0)
    expected = np.rot90(corners())  # counter-clockwise, as FFmpeg counts
    assert np.abs(pixels[::20, ::20] - expected[::20, ::20]).max() < 30


def test_odd_sides_lose_a_row_and_it_is_said(tmp_path: Path) -> None:
    stripes = np.tile((np.arange(63) % 2 * 255).astype(np.uint8)[:, None], (47, 1, 3))
    source = make_clip(
        tmp_path / "odd.mkv", STEADY[:3], lambda _: stripes, False, codec="ffv1", options={}, pixels="bgr0"
    )
    said = through(source, tmp_path / "out.mp4")
    assert said[0].endswith("63 x 47 pixels lost a row or column, as the encoder takes even sides only")
    kept = pictures(tmp_path / "out.mp4")[0].astype(int)
    assert kept.shape == (46, 62, 3)
    assert np.abs(kept - stripes[:46, :62]).mean() < 4  # none was moved or mixed with its neighbors


def test_fonts_are_copied_where_the_file_can_hold_them_else_named(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mkv", STEADY[:3], font=b"letters")
    assert len(through(source, tmp_path / "out.mkv")) == 1
    assert fonts(tmp_path / "out.mkv") == [b"letters"]
    said = through(source, tmp_path / "out.mp4")
    assert said[0] == f"{source}: left out of the .mp4 file: attachment 2"
    assert len(pictures(tmp_path / "out.mp4")) == 3


def test_a_part_has_its_frames_and_its_sound_from_zero(clip: Path, tmp_path: Path) -> None:
    through(clip, tmp_path / "out.mp4", Span(Fraction("0.3"), Fraction("0.7")))
    # The frame from 0.28 to 0.32 s is on show at 0.3 s.
    inside = [max(0, time * TIME_BASE - Fraction("0.3")) for time in STEADY if time + 24 > 180 and time < 420]
    assert times(tmp_path / "out.mp4") == inside
    wanted = [(time, data) for time, data in packets(clip, "audio") if Fraction("0.3") <= time < Fraction("0.7")]
    copied = packets(tmp_path / "out.mp4", "audio")
    assert [data for _, data in copied] == [data for _, data in wanted]
    assert all(abs(a - b + Fraction("0.3")) < 0.001 for (a, _), (b, _) in zip(copied, wanted, strict=True))


def test_the_two_parts_of_a_clip_are_the_whole(clip: Path, tmp_path: Path) -> None:
    through(clip, tmp_path / "one.mp4", Span(end=Fraction("0.48")))
    through(clip, tmp_path / "two.mp4", Span(start=Fraction("0.48")))
    assert len(times(tmp_path / "one.mp4")) + len(times(tmp_path / "two.mp4")) == len(STEADY)
    both = packets(tmp_path / "one.mp4", "audio") + packets(tmp_path / "two.mp4", "audio")
    assert [data for _, data in both] == [data for _, data in packets(clip, "audio")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_leaves_what_was_done_as_a_file_that_plays(
    clip: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "out.mp4").write_text("from before")
    handler = signal.getsignal(number)
    stopping = unchanged(lambda count: os.kill(os.getpid(), number) if count == 10 else None)
    with pytest.raises(Stopped) as stop:
        through(clip, tmp_path / "out.mp4", Span(Fraction("0.1")), stopping)
    unfinished = tmp_path / "out-unfinished.mp4"
    assert stop.value.code == code
    # Of 25 frames a second, that from 0.08 s is on show at 0.1 s; the tenth ends at 0.48.
    message = f"{clip}: stopped; frames so far are in {unfinished}"
    assert (str(stop.value), stop.value.resume_at) == (message, Fraction("0.48"))
    assert with_advice(stop.value) == f"{message}; continue with --start 0:00:00.480"
    assert len(pictures(unfinished)) == 10
    assert len(packets(unfinished, "audio")) > 0
    assert (tmp_path / "out.mp4").read_text() == "from before"
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "out.mp4", "out-unfinished.mp4"}
    assert signal.getsignal(number) is handler


def test_damage_inside_is_left_out_and_said(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (25, 48, 64, 3), np.uint8)
    source = make_clip(
        tmp_path / "clip.mov", picture=lambda number: noise[number], sound=False, codec="png", pixels="rgb24"
    )
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    source.write_bytes(content)
    said = through(source, tmp_path / "out.mp4")
    assert said[0] == f"{source}: 1 damaged packet left out"
    assert len(pictures(tmp_path / "out.mp4")) == 24


@pytest.mark.parametrize("content", [b"", b"not a video" * 100])
def test_what_is_no_video_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"clip\.mp4: is not a video in a format that can be read") as caught:
        through(tmp_path / "clip.mp4", tmp_path / "out.mp4")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_cut_off_clip_leaves_nothing_behind(clip: Path, tmp_path: Path) -> None:
    clip.write_bytes(clip.read_bytes()[:-3000])  # without the index, which stands at the end
    with pytest.raises(UserError, match="is not a video"):
        through(clip, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_part_behind_the_end_is_one_line(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"clip\.mp4: no frames in that range"):
        through(clip, tmp_path / "out.mp4", Span(Fraction(100)))


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("12.5", 12.5), ("1:05", 65), ("1:02:03.25", 3723.25), ("90:00", 5400)]
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert read_time(text) == Fraction(seconds)


@pytest.mark.parametrize("text", ["", "x", "-1", "1:", "1:75", "1.5:20", "1:2:3:4", "1e3", "1/2", "²"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="a time is seconds or hours:minutes:seconds, got"):
        read_time(text)


def test_a_written_time_can_be_read() -> None:
    assert written_time(Fraction("3723.25")) == "1:02:03.250"
    assert read_time(written_time(Fraction(44, 30))) == Fraction("1.466")  # not behind the frame that begins there


FRAMES = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), np.uint8)


def test_raw_frames_come_out_as_the_network_makes_them(tmp_path: Path) -> None:
    stylizer = Stylizer(initialize(TransformerNet(NetworkSettings(2, 1)), 0), Card("tiny"), "cpu")
    (tmp_path / "in").write_bytes(FRAMES.tobytes())
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        stylize_raw(stylizer, (30, 20), 0.0, source, target)
    expected = np.stack([stylizer.stylize(frame) for frame in FRAMES])
    assert (tmp_path / "out").read_bytes() == expected.tobytes()


def test_raw_frames_that_end_within_one_are_an_error_and_the_whole_ones_come_out(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(FRAMES.tobytes()[:-1])
    source, target = (tmp_path / "in").open("rb"), (tmp_path / "out").open("wb")
    with source, target, pytest.raises(UserError, match="the stream ends within a frame, after 1,799 of 1,800 bytes"):
        stylize_raw(unchanged(), (30, 20), 0.0, source, target)
    assert (tmp_path / "out").read_bytes() == FRAMES[:4].tobytes()


def test_a_live_source_runs_until_the_window_is_closed() -> None:
    shown: list[tuple[int, ...]] = []

    def show(frame: np.ndarray) -> bool:
        shown.append(frame.shape)
        return len(shown) < 3

    source = camera.frames("testsrc2=size=64x48:rate=25:duration=1", "lavfi")
    watch = camera.stylize_live(unchanged(), source, 0.5, show)
    assert (shown, watch.count) == ([(48, 64, 3)] * 3, 3)


def test_a_device_gets_the_frames(tmp_path: Path) -> None:
    with camera.loopback(str(tmp_path / "device"), "rawvideo") as show:
        assert all(show(corners()) for _ in range(3))
    assert (tmp_path / "device").stat().st_size == 3 * 64 * 48 * 3 // 2


def test_an_encoder_that_is_not_there_is_one_line(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CODECS, "h264", Codec("libnone", 18, 51))
    with pytest.raises(UserError, match="PyAV here has no encoder libnone"):
        through(clip, tmp_path / "out.mp4")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a style and a clip."""
    settings = NetworkSettings(width=2, blocks=1)
    network = initialize(TransformerNet(settings), seed=0)
    save_style(tmp_path / "checkpoints/night.safetensors", network, Card("night", settings))
    make_clip(tmp_path / "clip.mp4", STEADY[:5])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def infer(call: Callable[..., Lines]) -> Callable[..., Lines]:
    return lambda *arguments: call(*arguments, "-s", "night")


def test_infer_stylizes_clips_beside_themselves_and_goes_on_after_a_bad_one(
    infer: Callable[..., Lines], folder: Path
) -> None:
    (folder / "bad.mov").write_text("no video")
    make_clip(folder / "old.avi", STEADY[:3], sound=False, codec="mpeg4", options={})
    code, out, err = infer("clip.mp4", "bad.mov", "old.avi")
    assert (code, len(out)) == (1, 3)
    assert out[0].startswith("clip.mp4 -> clip-night.mp4  64 x 48, 5 frames in ")
    assert out[1].startswith("old.avi -> old-night.mkv  64 x 48, 3 frames in ")
    assert out[2] == "2 videos, 1 failed"
    assert err == ["infer.py: bad.mov: is not a video in a format that can be read"]
    assert len(pictures(folder / "clip-night.mp4")) == 5


def test_infers_frames_are_the_networks(infer: Callable[..., Lines], folder: Path) -> None:
    assert infer("clip.mp4", "-o", "out/new.mkv", "--crf", "1", "--steady", "0")[0] == 0
    expected = Stylizer.load("night").stylize(pictures(folder / "clip.mp4")[2]).astype(int)
    difference = pictures(folder / "out/new.mkv")[2] - expected
    shared = difference.reshape(24, 2, 32, 2, 3).mean((1, 3))  # four pixels have one color
    assert np.abs(shared).mean() < 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing.mp4"], "missing.mp4: No such file or directory"),
        (["photo.png", "--start", "1"], "--start is for videos"),
        (["clip.mp4", "--start", "soon"], "a time is seconds or hours:minutes:seconds, got soon"),
        (["clip.mp4", "--start", "3", "--end", "1:"], "--end: a time is seconds"),
        (
            ["clip.mp4", "--start", "3", "--end", "1"],
            "--end: the end must be after the start (0:00:03.000), got 0:00:01.000",
        ),
        (["clip.mp4", "--codec", "divx"], "'divx'"),
        (["clip.mp4", "--codec", "h264", "-o", "out.webm"], "--codec: out.webm: webm holds vp9 or av1, not h264"),
        (["clip.mp4", "-o", "out.avi"], "out.avi: cannot write this kind of file; supported: .jpg"),
        (["clip.mp4", "--crf", "52"], "--crf: libx264 takes 0 (best) to 51, got 52"),
        (["clip.mp4", "--crf", "good"], "'good'"),
        (["clip.mp4", "--steady", "-1"], "--steady: must be 0 to 3600 seconds, got -1"),
        (["clip.mp4", "--steady", "nan"], "--steady: must be 0 to 3600 seconds, got nan"),
        (["clip.mp4", "-o", "clip.mp4"], "would overwrite the input clip.mp4"),
        (["clip.mp4", "other.mp4", "-o", "out.mp4"], "output out.mp4 is one file, but there are 2 inputs"),
        (["clip.mp4", "sub/clip.mp4", "-o", "out"], "clip.mp4 and sub/clip.mp4 would both become out/clip-night.mp4"),
        (["clip.mp4", "--format", "png"], "--format is for images"),
        (["clip.mp4", "--rate", "10"], "--rate is for numbered images as input"),
        (["clip.mp4", "-o", "out.jp2"], "out.jp2: cannot write this kind of file; supported: .jpg"),
        (["clip.mp4", "-o", "-"], "standard streams take a single image or animation"),
        (["--raw", "64x48", "--skip-existing"], "--raw cannot be combined with --skip-existing"),
        (["--raw", "640"], "--raw: a size is WIDTHxHEIGHT in pixels, each at least 16, as in 640x360, got 640"),
        (["--raw", "640x8"], "got 640x8"),
        (["--raw", "64x48", "clip.mp4"], "--raw reads from stdin"),
        (["--raw", "64x48", "--start", "1"], "--raw cannot be combined with --start"),
        (["--camera", "7"], "there is no camera 7; cameras here"),
        (["--camera", "one"], "'one'"),
        (
            ["--camera", "7", "-o", "out.mp4"],
            "--camera: a camera's frames go to a window or a v4l2 device, /dev/videoN, got out.",
        ),
        (["--camera", "0", "clip.mp4"], "--camera takes no inputs, got clip.mp4"),
        (["--camera", "0", "--raw", "64x48"], "cannot be combined with --camera"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(
    infer: Callable[..., Lines], folder: Path, arguments: list[str], reason: str
) -> None:
    before = sorted(folder.rglob("*"))
    code, out, err = infer(*arguments)
    assert (code, out, len(err)) == (1, [], 1)
    assert err[0].startswith("infer.py: ")
    assert reason in err[0]
    assert sorted(folder.rglob("*")) == before


def test_raw_frames_are_not_written_to_a_terminal(infer: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    reason = "--raw: frames are read from and written to a pipe or file, not a terminal"
    assert infer("--raw", "64x48") == (1, [], [f"infer.py: error: {reason}"])


def test_without_pyav_a_line_says_what_to_install(infer: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("stylenet.media.video.", "stylenet.pipeline.", "av."))
    ]:
        if name != "stylenet.cli.infer_video":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    code, out, err = infer("clip.mp4")
    assert (code, out, err) == (1, [], ["infer.py: error: video needs PyAV: pip install 'stylenet[video]'"])


def test_raw_frames_go_through_infer_and_a_picture_needs_no_pyav(folder: Path) -> None:
    """In a process of its own, where PyAV cannot be imported."""
    start = "import sys; sys.modules['av'] = None; from stylenet.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "infer", "--raw", "30x20", "-s", "night", "--steady", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, input=FRAMES.tobytes(), capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    expected = np.stack([Stylizer.load("night").stylize(frame) for frame in FRAMES])
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.uint8).reshape(FRAMES.shape), expected)
    assert done.stderr.decode().startswith("stylenet infer: 5 frames in ")
