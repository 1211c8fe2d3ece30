"""Clips of every kind to every kind: video files, animations, sequences; transparency, fields, sizes, parts."""

import os
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import STEADY, corners, make_clip, pictures, times, unchanged
from infer_command import Run
from pictures import GRADIENT
from PIL import Image

from stylenet.errors import UserError
from stylenet.media.picture import Size
from stylenet.media.video.timing import Span
from stylenet.pipeline.clip import ClipJob, Stopped, stylize_clip
from stylenet.pipeline.plan import plan

Lines = tuple[int, list[str], list[str]]


def through(source: Path, target: Path, **options: object) -> list[str]:
    """The clip through a network that changes nothing; the lines about it."""
    said: list[str] = []
    said.append(stylize_clip(unchanged(), ClipJob(source, target, 0.0, **options), said.append))
    return said


def frames_of(path: Path) -> list[tuple[np.ndarray, float]]:
    """An animation's frames in RGBA with their milliseconds."""
    found = []
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            found.append((np.asarray(image.convert("RGBA")), image.info["duration"]))
    return found


def test_uncompressed_avi_has_no_opacity(tmp_path: Path) -> None:
    picture = np.dstack([corners(), np.zeros((48, 64), np.uint8)])[..., [2, 1, 0, 3]]
    with av.open(str(tmp_path / "raw.avi"), "w") as container:
        video = container.add_stream("rawvideo", rate=25, width=64, height=48)
        video.pix_fmt = "bgra"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="bgra")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode())
    through(tmp_path / "raw.avi", tmp_path / "o.mkv")
    assert np.abs(pictures(tmp_path / "o.mkv")[0].astype(int) - corners()).mean() < 8


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_clip_becomes_an_animation_with_its_times(tmp_path: Path, suffix: str) -> None:
    source = make_clip(tmp_path / "clip.mp4", (0, 24, 48, 60, 72))  # 1/600 s
    target = tmp_path / f"out{suffix}"
    said = through(source, target)
    assert said[0] == f"{source}: left out of the {suffix} file: audio 1 (aac)"
    found = frames_of(target)
    shown = [40, 40, 20, 20, 40]
    assert [duration for _, duration in found] == shown
    assert np.abs(found[0][0][..., :3].astype(int) - corners()).mean() < 20


def test_a_gif_leaves_out_frames_that_it_cannot_show_and_says_so(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "fast.mp4", tuple(range(0, 60, 5)), sound=False)  # 120 frames a second
    said = through(source, tmp_path / "out.gif")
    assert said[0] == f"{source}: 8 frames left out, as GIF shows none for less than 0.02 s"
    assert all(duration >= 20 for _, duration in frames_of(tmp_path / "out.gif"))


def test_an_animation_becomes_a_video_with_its_times(tmp_path: Path) -> None:
    scenes = [Image.fromarray(np.roll(GRADIENT, 9 * index, 1)) for index in range(3)]
    scenes[0].save(tmp_path / "a.gif", save_all=True, append_images=scenes[1:], duration=[50, 70, 90])
    through(tmp_path / "a.gif", tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == [0, Fraction(50, 1000), Fraction(120, 1000)]
    scenes[0].save(tmp_path / "b.png")
    with pytest.raises(UserError, match="is a single image, which makes no video"):
        through(tmp_path / "b.png", tmp_path / "out.mp4")


def test_numbered_images_are_read_and_written_with_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (8, 9, 10):
        Image.fromarray(np.roll(GRADIENT, number, 1)).save(tmp_path / f"in/{number:03}.png")
    said = through(tmp_path / "in/%03d.png", tmp_path / "out/f%02d.png")
    assert len(said) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["f08.png", "f09.png", "f10.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out/f10.png")), np.roll(GRADIENT, 10, 1))
    through(tmp_path / "in/%03d.png", tmp_path / "out.mp4", rate=Fraction(10))
    assert times(tmp_path / "out.mp4") == [0, Fraction(1, 10), Fraction(2, 10)]
    source = make_clip(tmp_path / "clip.mp4", STEADY[:4], sound=False)
    through(source, tmp_path / "two/%d.jpg")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    with pytest.raises(UserError, match=r"no file matches .*none%02d\.png"):
        through(tmp_path / "none%02d.png", tmp_path / "out.mp4")


def transparent(path: Path, codec: str, pixels: str, options: dict[str, str]) -> Path:
    """Red, opaque on the left and half transparent on the right."""
    frame = np.full((48, 64, 4), (200, 30, 30, 255), np.uint8)
    frame[:, 32:, 3] = 128
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, width=64, height=48, options=options)
        stream.pix_fmt = pixels
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgba")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels"), [("a.mov", "prores_ks", "yuva444p10le"), ("a.webm", "libvpx-vp9", "yuva420p")]
)
def test_a_clips_transparency_stays_where_the_file_can_hold_it(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    source = transparent(tmp_path / name, codec, pixels, {"profile": "4444"} if codec == "prores_ks" else {})
    said = through(source, tmp_path / f"out{source.suffix}")
    assert not any("transparency became" in line for line in said)
    with av.open(str(tmp_path / f"out{source.suffix}")) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r") if codec == "libvpx-vp9" else stream.codec_context
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
    found = frames[0].to_ndarray(format="rgba")
    assert found[24, 10, 3] >= 253
    assert abs(int(found[24, 50, 3]) - 128) <= 3
    said = through(source, tmp_path / "out.mp4")
    assert any("transparency became white, as libx264 in this file holds none" in line for line in said)
    assert np.abs(pictures(tmp_path / "out.mp4")[0][24, 50].astype(int) - (227, 142, 142)).max() <= 12
    through(source, tmp_path / "out.webp")
    assert abs(int(frames_of(tmp_path / "out.webp")[0][0][24, 50, 3]) - 128) <= 3


def interlaced(path: Path) -> Path:
    """A white bar that moves by 8 pixels a field, two fields woven into each frame."""

    def field(number: int) -> np.ndarray:
        bar = np.zeros((48, 128, 3), np.uint8)
        bar[:, 8 * number : 8 * number + 16] = 255
        return bar

    with av.open(str(path), "w") as container:
        options = {"crf": "1", "flags": "+ilme+ildct", "x264-params": "tff=1"}
        stream = container.add_stream("libx264", rate=25, width=128, height=48, options=options)
        stream.pix_fmt = "yuv420p"
        for number in range(6):
            woven = field(2 * number)
            woven[1::2] = field(2 * number + 1)[1::2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(woven)))
        container.mux(stream.encode())
    return path


def combing(frame: np.ndarray) -> float:
    """How much neighboring rows differ."""
    return float(np.abs(np.diff(frame[8:-8].astype(int), axis=0)).mean())


def test_an_interlaced_clip_is_deinterlaced_and_says_so(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "fields.mp4")
    said = through(source, tmp_path / "out.mp4")
    assert f"{source}: deinterlaced" in said
    assert times(tmp_path / "out.mp4") == times(source)
    before, after = ([combing(frame) for frame in pictures(path)] for path in (source, tmp_path / "out.mp4"))
    assert np.mean(after[1:-1]) < 0.2 * np.mean(before[1:-1])


def test_a_clip_is_stylized_at_the_size_that_was_asked_for(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", STEADY[:2], sound=False)
    through(source, tmp_path / "out.mp4", size=Size(long=32))
    assert pictures(tmp_path / "out.mp4")[0].shape == (24, 32, 3)
    with pytest.raises(UserError, match=r"clip\.mp4: has 64 x 48 pixels, more than the limit of 100"):
        through(source, tmp_path / "out.mp4", size=Size(max_pixels=100))


def test_deep_and_fine_colors_are_said_to_be_reduced(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "deep.mp4", STEADY[:2], sound=False, pixels="yuv444p10le")
    said = through(source, tmp_path / "out.mp4")
    assert said[0] == f"{source}: 10-bit color became 8-bit, color was reduced to half resolution"


def test_a_second_stop_keeps_the_first_part(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", sound=False)
    for start in (0, "0.4"):
        stopping = unchanged(lambda count: os.kill(os.getpid(), signal.SIGTERM) if count == 5 else None)
        with pytest.raises(Stopped):
            stylize_clip(stopping, ClipJob(source, tmp_path / "out.mp4", 0.0, Span(Fraction(start))), print)
    assert len(pictures(tmp_path / "out-unfinished.mp4")) == len(pictures(tmp_path / "out-unfinished-2.mp4")) == 5


def test_jobs_of_folders_and_globs_have_clips_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/b.mp4", "in/deep/c.MOV", "in/d.avi", "in/notes.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    jobs = {job.target.as_posix(): job.is_clip for job in plan(["in"], "night", "out")}
    expected = {"out/a-night.png": False, "out/b-night.mp4": True, "out/deep/c-night.MOV": True}
    assert jobs == expected | {"out/d-night.mkv": True}
    assert [job.target.as_posix() for job in plan(["in/*.mp4"], "night")] == ["in/b-night.mp4"]
    (job,) = plan(["in/a.png"], "night", "out.mp4")
    assert job.is_clip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a style, a photo and two clips."""
    from stylenet.models.style_file import Card, save_style
    from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

    settings = NetworkSettings(width=2, blocks=1)
    save_style(tmp_path / "checkpoints/night.safetensors", initialize(TransformerNet(settings), 0), Card("n", settings))
    (tmp_path / "in").mkdir()
    Image.fromarray(GRADIENT).save(tmp_path / "in/photo.png")
    for name in ("one", "two"):
        make_clip(tmp_path / f"in/{name}.mp4", STEADY[:3])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_of_photos_and_clips_is_stylized_whole_and_resumed(call: Callable[..., Lines], folder: Path) -> None:
    code, out, err = call("in", "-s", "night", "-o", "out", "--max-size", "32")
    assert (code, err) == (0, [])
    assert [line.split(" -> ")[0] for line in out] == ["in/photo.png", "in/one.mp4", "in/two.mp4", "2 videos"]
    assert pictures(folder / "out/one-night.mp4")[0].shape == (24, 32, 3)
    (folder / "out/two-night.mp4").unlink()
    code, out, err = call("in", "-s", "night", "-o", "out", "--skip-existing")
    assert (code, err) == (0, [])
    assert next(line for line in out if "->" in line).startswith("in/two.mp4 -> out/two-night.mp4  64 x 48")
    code, out, err = call("in/*.mp4", "-s", "night", "-o", "gifs/")
    assert (code, err) == (0, [])
    assert {path.name for path in (folder / "gifs").iterdir()} == {"one-night.mp4", "two-night.mp4"}
    assert call("in/one.mp4", "-s", "night", "-o", "out.gif")[0] == 0
    assert len(frames_of(folder / "out.gif")) == 3


def test_an_animation_with_a_number_in_its_name_becomes_a_sequence_where_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("a%d.gif", save_all=True, append_images=[Image.new("RGB", (32, 32), "red")])
    (asked,), (derived,) = plan(["a%d.gif"], "night", "out%04d.png"), plan(["a%d.gif"], "night")
    assert asked.is_clip
    assert not derived.is_clip


def test_clips_that_are_skipped_are_counted_as_videos(call: Run, folder: Path) -> None:
    for name in ("a.mp4", "b.mp4", "a-night.mp4", "b-night.mp4"):
        make_clip(folder / name, STEADY[:2], sound=False)
    arguments = ("a.mp4", "b.mp4", "-s", "night", "--skip-existing")
    assert call(*arguments) == (0, ["0 videos, 2 skipped"], [])
    (folder / "a-night.mp4").unlink()
    assert call(*arguments)[1][1:] == ["1 video, 1 skipped"]


@pytest.mark.parametrize(
    ("sound", "suffix", "kept"),
    [("pcm_s16le", ".mp4", True), ("pcm_u8", ".mp4", False), ("flac", ".mov", False), ("flac", ".mp4", True)],
)
def test_sound_that_a_file_cannot_hold_is_left_out_before_the_first_frame(
    tmp_path: Path, sound: str, suffix: str, kept: bool
) -> None:
    source = make_clip(tmp_path / "clip.mkv", STEADY[:3], sound=sound)
    said = through(source, tmp_path / f"out{suffix}")
    left_out = f"{source}: left out of the {suffix} file: audio 1 ({sound})"
    assert (left_out in said) != kept
    with av.open(str(tmp_path / f"out{suffix}")) as result:
        assert [stream.codec_context.name for stream in result.streams.audio] == [sound] * kept
        assert len(list(result.decode(video=0))) == 3
