"""The command line of `infer.py`, and what goes where."""

import os
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylenet.files import Job, plan
from stylenet.network import NetworkSettings, TransformerNet, initialise
from stylenet.style_file import Card, save_style

ROOT = Path(__file__).parents[1]
Done = tuple[int, list[str], list[str]]  # exit code, lines of output, lines of complaint
Run = Callable[..., Done]


def picture(path: Path, size: tuple[int, int] = (30, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, "PNG")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one style and one picture."""
    settings = NetworkSettings(width=2, blocks=1)
    facts = {"painting": {"title": "The Night", "artist": "A. Painter"}}
    network = initialise(TransformerNet(settings), seed=0)
    save_style(tmp_path / "checkpoints/night.safetensors", network, Card("../../night", settings, facts))
    picture(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """The script in a process of its own, as a user starts it."""

    def infer(*arguments: str) -> Done:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "infer.py"), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, env=environment)
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()

    return infer


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same within this process, which spares the two seconds that torch's import takes."""
    guarded = runpy.run_path(str(ROOT / "infer.py"))["guarded"]

    def infer(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["infer.py", *arguments])
        try:
            code = guarded()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return infer


def names(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and "checkpoints" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def test_files_good_and_bad_with_strange_names(run: Run, folder: Path) -> None:
    strange = [
        "new\nline.png",
        'it\'s "quoted".png',
        "-dash.png",
        os.fsdecode(b"\xe9t\xe9.png"),
        "IMG [1].png",
    ]
    for name in strange:
        picture(folder / name)
    picture(folder / ("x" * 251 + ".png"))
    picture(folder / "small.png", (15, 40))
    (folder / "text.jpg").write_text("not a picture")
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    bad = ["x" * 251 + ".png", "small.png", "text.jpg", "missing.png"]
    code, out, err = run("-s", "night", "--device", "cpu", "--", *strange, *bad, "photo.png")
    assert code == 1
    assert len(out) == len(strange) + 1
    assert out[-1].startswith("photo.png -> photo-night.png  30 x 20, network ")
    assert out[-1].endswith(" ms")
    assert len(err) == len(bad)
    assert [line.split(": ", 1)[0] for line in err] == ["infer.py"] * len(bad)
    assert "15 x 40" in err[1]
    assert err[2] == "infer.py: text.jpg: is not a picture in a format that can be read"
    assert err[3] == "infer.py: missing.png: No such file or directory"
    results = {f"{name[:-4]}-night.png" for name in [*strange, "photo.png"]}
    assert set(names(folder)) == results | set(before)
    assert all((folder / name).read_bytes() == content for name, content in before.items())


def test_folders_are_mirrored_and_the_styles_file_names_the_results(call: Run, folder: Path) -> None:
    picture(folder / "in/a.png")
    picture(folder / "in/deep/a.PNG")
    picture(folder / "in/.hidden.png")
    (folder / "in/notes.txt").touch()
    style = str(folder / "checkpoints/night.safetensors")
    code, out, err = call("in", "--style", style, "-o", "in/out", "photo.png")
    assert (code, len(out), err) == (0, 3, [])
    made = ["in/out/a-night.png", "in/out/deep/a-night.PNG", "in/out/photo-night.png"]
    assert set(made) < set(names(folder))
    code, out, err = call("in", "-s", style, "-o", "in/out")
    assert (code, len(out), err) == (0, 2, [])  # results are no inputs


def test_the_format_follows_the_outputs_name_and_is_turned_upright(call: Run, folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(folder / "turned.jpg", exif=exif)
    code, _, err = call("turned.jpg", "-s", "night", "-o", "new/result.webp")
    assert (code, err) == (0, [])
    with Image.open(folder / "new/result.webp") as image:
        assert (image.format, image.size) == ("WEBP", (20, 40))


def test_list_names_title_and_artist_and_goes_on_after_a_broken_file(call: Run, folder: Path) -> None:
    code, out, err = call("--list")
    assert (code, err) == (0, [])
    assert "The Night, A. Painter" in [line.removeprefix("night").strip() for line in out]
    (folder / "checkpoints/broken.safetensors").write_bytes(b"nonsense")
    code, out, err = call("--list")
    assert (code, len(err)) == (1, 1)
    assert any("The Night, A. Painter" in line for line in out)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["photo.png"], "which style? -s NAME, one of: "),
        (["-s", "night"], "which picture?"),
        (["photo.png", "-s", "nope"], "there is no style nope; there are: "),
        (["photo.png", "-s", "photo.png"], "photo.png is not a whole safetensors file"),
        (["photo.png", "-s", "night", "--device", "tpu"], "'tpu'"),
        (["photo.png", "-s", "night", "--fast\n"], "unrecognized arguments: --fast"),
        (["*.nope", "-s", "night"], "no file matches *.nope"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_1(call: Run, arguments: list[str], reason: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out, len(err)) == (1, [], 1)
    assert err[0].startswith("infer.py: error: ")
    assert reason in err[0]


def test_the_two_commands_in_the_help_work(call: Run, folder: Path) -> None:
    _, out, _ = call("--help")
    examples = [line.split("  writes ")[0] for line in out if line.startswith("  python infer.py ")]
    assert len(examples) == 2
    for name in ("photo.jpg", "holiday/a.jpg", "more/b.png"):
        picture(folder / name)
    (folder / "checkpoints/night.safetensors").rename(folder / "checkpoints/starry.safetensors")
    (folder / "checkpoints/wave.safetensors").symlink_to("starry.safetensors")
    for example in examples:
        assert call(*shlex.split(example)[2:])[0] == 0
    assert {"photo-starry.jpg", "styled/a-wave.jpg", "styled/b-wave.png"} < set(names(folder))


def test_infer_imports_nothing_of_the_learning_wing(folder: Path) -> None:
    heavy = "{'pytorch_lightning', 'lightning', 'hydra', 'torchvision', 'wandb', 'datasets', 'stylenet.vgg'}"
    code = f"import sys, infer; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def targets(jobs: list[Job]) -> list[str]:
    return [job.target.as_posix() for job in jobs]


def test_without_an_output_results_stand_beside_their_sources(folder: Path) -> None:
    assert targets(plan(["a/b.jpg", "c.heic", "d"], "night")) == [
        "a/b-night.jpg",
        "c-night.png",
        "d-night.png",
    ]


def test_an_output_with_a_known_suffix_is_a_file_and_any_other_a_folder(folder: Path) -> None:
    assert targets(plan(["photo.png"], "night", "x/y.JPG")) == ["x/y.JPG"]
    assert targets(plan(["photo.png"], "night", "x/y.jpg.d")) == ["x/y.jpg.d/photo-night.png"]
    (folder / "z.jpg").mkdir()
    assert targets(plan(["photo.png"], "night", "z.jpg")) == ["z.jpg/photo-night.png"]


def test_globs_are_found_here_too_and_mirrored_from_their_fixed_part(folder: Path) -> None:
    for name in ("in/a.png", "in/b/a.png", "in/b/a.txt"):
        picture(folder / name)
    jobs = plan(["in/**/*", "in"], "night", "out")
    assert sorted(targets(jobs)) == ["out/a-night.png", "out/b/a-night.png"]
    assert targets(plan(["ph*.png"], "night")) == ["photo-night.png"]


def test_a_file_whose_name_looks_like_a_glob_is_itself(folder: Path) -> None:
    picture(folder / "p[h]oto.png")
    assert targets(plan(["p[h]oto.png"], "night")) == ["p[h]oto-night.png"]


def test_a_picture_named_twice_is_stylised_once(folder: Path) -> None:
    assert len(plan(["photo.png", "./photo.png", str(folder / "photo.png"), "ph*"], "night")) == 1


@pytest.mark.parametrize("way", ["itself", "symbolic link", "hard link", "linked folder", "dots"])
def test_no_result_overwrites_an_input_by_any_way(folder: Path, way: str) -> None:
    output = {"itself": "photo.png", "dots": "checkpoints/../photo.png", "linked folder": "link/photo.png"}
    (folder / "link").symlink_to(folder)
    (folder / "symbolic link.png").symlink_to("photo.png")
    os.link(folder / "photo.png", folder / "hard link.png")
    with pytest.raises(ValueError, match=r"would overwrite the input photo\.png"):
        plan(["photo.png"], "night", output.get(way, f"{way}.png"))


def test_no_result_overwrites_another_pictures_input(folder: Path) -> None:
    picture(folder / "photo-night.png")
    with pytest.raises(ValueError, match=r"result for photo\.png would overwrite the input photo-night\.png"):
        plan(["photo.png", "photo-night.png"], "night")


def test_two_inputs_for_one_result_are_named_before_work(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a/x\.png and b/x\.png would both become out/x-night\.png"):
        plan(["a/x.png", "b/x.png"], "night", "out")


def test_one_output_file_cannot_hold_two_pictures(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.jpg is a file, which holds one picture and not 2"):
        plan(["a.png", "b.png"], "night", "x.jpg")
    with pytest.raises(ValueError, match=r"x\.heic: can't write this kind"):
        plan(["a.png"], "night", "x.heic")


def test_no_result_leaves_the_output_folder_through_a_link(folder: Path) -> None:
    picture(folder / "in/deep/a.png")
    (folder / "out").mkdir()
    (folder / "out/deep").symlink_to(folder / "checkpoints")
    with pytest.raises(ValueError, match="would lie outside of out: a link leads there"):
        plan(["in"], "night", "out")


def test_a_folder_without_pictures_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="folder empty has no pictures"):
        plan(["empty"], "night")
