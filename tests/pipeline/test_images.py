"""Many files, odd files and streams through `infer.py`."""

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from infer_command import ROOT, Run, names, picture
from pictures import CONVERTED, GRADIENT, encoded
from PIL import Image

from stylenet.inference.stylizer import Stylizer
from stylenet.models.catalog import find_style
from stylenet.pipeline.job import STANDARD_INPUT, STANDARD_OUTPUT
from stylenet.pipeline.plan import plan
from stylenet.pipeline.restyle import Restyling

CPU = ("-s", "night", "--device", "cpu")


def pixels(path: Path | bytes) -> np.ndarray:
    with Image.open(BytesIO(path) if isinstance(path, bytes) else path) as image:
        return np.asarray(image)


def stylized(photo: np.ndarray) -> np.ndarray:
    return Stylizer.load(find_style("night"), "cpu").stylize(photo)


def test_each_result_is_its_own_photos_and_lines_come_in_order(call: Run, folder: Path) -> None:
    photos = {f"{number:02}": np.full((20 + number % 3, 30, 3), 20 * number, np.uint8) for number in range(12)}
    for name, photo in photos.items():
        Image.fromarray(photo).save(folder / f"{name}.png") if name != "05" else (folder / "05.png").touch()
    code, out, err = call(*(f"{name}.png" for name in photos), *CPU, "-o", "out")
    good = [name for name in photos if name != "05"]
    assert (code, err) == (1, ["infer.py: 05.png: is empty"])
    assert [line.split(" ")[0] for line in out[:-1]] == [f"{name}.png" for name in good]
    assert out[-1].startswith("11 images, 1 failed; ")
    for name in good:
        np.testing.assert_array_equal(pixels(folder / f"out/{name}-night.png"), stylized(photos[name]))


def test_one_picture_needs_no_summary(call: Run) -> None:
    assert len(call("photo.png", *CPU)[1]) == 1


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("gray.png", ", was grayscale"),
        ("cmyk.jpg", ", was CMYK"),
        ("deep.png", ", was 16-bit or more"),
        ("palette.gif", ", was palette"),
        ("moving.gif", ", was palette, 2 frames"),
        ("turned.jpg", " ms"),
    ],
)
def test_what_was_converted_stands_on_the_pictures_line(call: Run, folder: Path, name: str, note: str) -> None:
    (folder / name).write_bytes(CONVERTED[name][0])
    code, (line,), err = call(name, *CPU)
    assert (code, err) == (0, [])
    assert line.endswith(note)


def test_the_style_lies_on_the_colors_and_transparency_stays(call: Run, folder: Path) -> None:
    alpha = np.tile(np.arange(60, dtype=np.uint8) * 4, (40, 1))
    Image.fromarray(np.dstack([GRADIENT, alpha])).save(folder / "clear.png")
    call("clear.png", *CPU)
    result = pixels(folder / "clear-night.png")
    np.testing.assert_array_equal(result[..., 3], alpha)
    seen = np.where(alpha[..., None] > 0, GRADIENT, 255)
    np.testing.assert_array_equal(result[..., :3], stylized(seen))
    call("clear.png", *CPU, "--format", "bmp")
    on_white = (GRADIENT * (alpha[..., None] / 255) + 255 - alpha[..., None]).round().astype(np.uint8)
    difference = pixels(folder / "clear-night.bmp").astype(int) - stylized(on_white)
    assert np.abs(difference).max() <= 4


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_every_frame_is_stylized(call: Run, folder: Path, suffix: str) -> None:
    scenes = [Image.fromarray(np.roll(GRADIENT, 9 * index, 1)) for index in range(4)]
    scenes[0].save(folder / "a.png", save_all=True, append_images=scenes[1:], duration=[50, 70, 90, 110], loop=3)
    code, _, err = call("a.png", *CPU, "-o", f"b.{suffix}")
    assert (code, err) == (0, [])
    with Image.open(folder / f"b.{suffix}") as result:
        assert result.n_frames == 4
        for index, expected in enumerate(scenes):
            result.seek(index)
            result.load()
            assert result.info["duration"] == [50, 70, 90, 110][index]
            wanted = stylized(np.asarray(expected)).astype(float)
            error = np.abs(np.asarray(result.convert("RGB"), float) - wanted).mean()
            assert error < {"png": 0.01, "gif": 3, "webp": 9}[suffix]
    assert call("a.png", *CPU, "-o", "b.jpg")[1][0].endswith(", first of 4 frames")


def test_an_animation_that_breaks_off_leaves_nothing(call: Run, folder: Path) -> None:
    scenes = [Image.fromarray(np.roll(GRADIENT, 9 * index, 1)) for index in range(4)]
    data = encoded(scenes[0], "PNG", save_all=True, append_images=scenes[1:])
    (folder / "a.png").write_bytes(data[:-300])
    before = names(folder)
    code, out, err = call("a.png", *CPU)
    assert (code, out, len(err)) == (1, [], 1)
    assert err[0].startswith("infer.py: a.png: is ")
    assert names(folder) == before


def test_a_picture_comes_and_goes_through_standard_streams(folder: Path) -> None:
    command = [sys.executable, str(ROOT / "infer.py"), "-", *CPU]
    data = encoded(GRADIENT, "WEBP", lossless=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, input=data, capture_output=True, env=environment)
    assert done.returncode == 0
    assert done.stderr.startswith(b"standard input -> standard output  60 x 40, network ")
    with Image.open(BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("WEBP", (60, 40))


def test_a_stream_goes_into_a_file(call: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "photo.png").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert call("-", *CPU, "-o", "new/x.png")[0] == 0
        expected = stylized(pixels(folder / "photo.png"))
        np.testing.assert_array_equal(pixels(folder / "new/x.png"), expected)
        code, out, err = call("-", *CPU)  # there is no more of it
        assert (code, out, err) == (1, [], ["infer.py: standard input: the image is empty"])


def test_a_terminal_gets_no_pictures(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = call("photo.png", *CPU, "-o", "-")
    assert (code, out, err) == (1, [], ["infer.py: error: an image cannot be written to a terminal: -o FILE"])


def test_streams_have_their_own_jobs(folder: Path) -> None:
    (job,) = plan(["-"], "night")
    assert job.source is STANDARD_INPUT
    assert job.target is STANDARD_OUTPUT
    assert job.format is None
    (job,) = plan(["photo.png"], "night", "-", ".webp")
    assert (job.source, job.target is STANDARD_OUTPUT, job.format.name) == (Path("photo.png"), True, "WEBP")
    (folder / "standard output").touch()
    assert not job.is_done()


def test_a_stopped_folder_has_whole_files_only_and_goes_on(call: Run, folder: Path) -> None:
    data = picture(folder / "photo.png", (320, 240)).read_bytes()
    (folder / "in").mkdir()
    for number in range(150):
        (folder / f"in/{number:03}.png").write_bytes(data)
    command = [sys.executable, str(ROOT / "infer.py"), "in", *CPU]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        first = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        rest, complaints = run.communicate()
    assert first.startswith(b"in/000.png -> in/000-night.png")
    assert (run.returncode, complaints) == (130, b"")
    summary = rest.decode().splitlines()[-1]
    assert " left (--skip-existing resumes); " in summary
    results = [name for name in names(folder) if name.endswith("-night.png")]
    assert 0 < len(results) < 150
    whole = stylized(pixels(data))
    for name in results:
        np.testing.assert_array_equal(pixels(folder / name), whole)
    assert len(names(folder)) == 151 + len(results)  # and no half ones
    for name in results[2:]:
        (folder / name).unlink()
    for number in range(4, 150):
        (folder / f"in/{number:03}.png").unlink()
    code, out, err = call("in", *CPU, "--skip-existing")
    assert (code, err) == (0, [])
    skipped = min(2, len(results))  # on a busy machine the stop may come after the first
    assert out[-1].startswith(f"{4 - skipped} images, {skipped} skipped; ")
    assert [name for name in names(folder) if "night-" in name] == []


@pytest.mark.parametrize("place", ["decode", "stylize", "encode"])
def test_too_little_memory_ends_only_that_image(
    call: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    picture(folder / "large.png", (90, 20))
    step = getattr(Restyling, place)

    def scarce(work: Restyling, *arguments: object) -> object:
        if work.picture.pixels == 90 * 20:
            raise MemoryError
        return step(work, *arguments)

    monkeypatch.setattr(Restyling, place, scarce)
    code, out, err = call("large.png", "photo.png", *CPU)
    assert (code, err) == (1, ["infer.py: large.png: not enough memory for this image"])
    assert out[0].startswith("photo.png -> photo-night.png")
