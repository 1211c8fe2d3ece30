"""The command line of `infer.py`, and what goes where."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from infer_command import ROOT, Run, names, picture
from PIL import Image

from stylenet.pipeline.job import Job
from stylenet.pipeline.plan import plan


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
    bad = ["x" * 251 + ".png", "small.png", "text.jpg", "missing.png", "y" * 5000]
    code, out, err = run("-s", "night", "--device", "cpu", "--", *strange, *bad, "photo.png")
    assert code == 1
    assert len(out) == len(strange) + 2
    assert out[-2].startswith("photo.png -> photo-night.png  30 x 20, network ")
    assert out[-2].endswith(" ms")
    assert out[-1].startswith("6 images, 5 failed; ")
    assert len(err) == len(bad)
    assert [line.split(": ", 1)[0] for line in err] == ["infer.py"] * len(bad)
    assert "15 x 40" in err[1]
    assert err[2] == "infer.py: text.jpg: is not an image in a format that can be read"
    assert err[3] == "infer.py: missing.png: No such file or directory"
    results = {f"{name[:-4]}-night.png" for name in [*strange, "photo.png"]}
    assert set(names(folder)) == results | set(before)
    assert all((folder / name).read_bytes() == content for name, content in before.items())


def test_a_name_may_be_as_long_as_the_system_allows(call: Run, folder: Path) -> None:
    source, target = "x" * 251 + ".png", "é" * 125 + "y.png"  # 255 bytes each
    picture(folder / source)
    code, _, err = call(source, "-s", "night", "-o", target)
    assert (code, err) == (0, [])
    assert (folder / target).exists()


def test_folders_are_mirrored_and_the_styles_file_names_the_results(call: Run, folder: Path) -> None:
    picture(folder / "in/a.png")
    picture(folder / "in/deep/a.PNG")
    picture(folder / "in/.hidden.png")
    (folder / "in/notes.txt").touch()
    style = str(folder / "checkpoints/night.safetensors")
    code, out, err = call("in", "--style", style, "-o", "in/out", "photo.png")
    assert (code, len(out), err) == (0, 4, [])
    made = ["in/out/a-night.png", "in/out/deep/a-night.PNG", "in/out/photo-night.png"]
    assert set(made) < set(names(folder))
    code, out, err = call("in", "-s", style, "-o", "in/out")
    assert (code, len(out), err) == (0, 3, [])  # results are no inputs


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
        (["photo.png"], "no style: -s NAME, one of: "),
        (["-s", "night"], "no input: "),
        (["photo.png", "-s", "nope"], "there is no style nope; available: "),
        (["photo.png", "-s", "photo.png"], "photo.png is not a whole safetensors file"),
        (["photo.png", "-s", "night", "--device", "tpu"], "'tpu'"),
        (["photo.png", "-s", "night", "--fast\n"], "unrecognized arguments: --fast"),
        (["*.nope", "-s", "night"], "no file matches *.nope"),
        (["photo.png", "-s", "night", "--size", "15"], "--size: must be a whole number of at least 16, got 15"),
        (
            ["photo.png", "-s", "night", "--max-size", "big"],
            "--max-size: must be a whole number of at least 16, got big",
        ),
        (["photo.png", "-s", "night", "--quality", "101"], "--quality: must be a whole number from 1 to 100, got 101"),
        (["photo.png", "-s", "night", "--format", "heic"], "'heic'"),
        (
            ["photo.png", "-s", "night", "--format", "png", "-o", "x.jpg"],
            "x.jpg is JPEG by its name, not png",
        ),
        (["photo.png", "-s", "night", "--skip-existing=1"], "--skip-existing: ignored explicit argument '1'"),
        (["photo.png", "-", "-s", "night"], "'-' (standard input) cannot be combined with other inputs"),
        (["-", "-s", "night", "-o", "new"], "output new is a folder, where standard input has no name"),
        (
            ["photo.png", "b.png", "-s", "night", "-o", "-"],
            "output standard output is one file, but there are 2 inputs",
        ),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_1(call: Run, arguments: list[str], reason: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out, len(err)) == (1, [], 1)
    assert err[0].startswith("infer.py: error: ")
    assert reason in err[0]


def test_pictures_above_the_pixel_limit_are_refused_and_the_limit_can_be_moved(call: Run, folder: Path) -> None:
    code, out, err = call("photo.png", "-s", "night", "--max-pixels", "599")
    assert (code, out) == (1, [])
    assert err == ["infer.py: photo.png: has 30 x 20 pixels, more than the limit of 599"]
    code, _, err = call("photo.png", "-s", "night", "--max-pixels", "600")
    assert (code, err) == (0, [])


def test_the_two_commands_in_the_help_work(call: Run, folder: Path) -> None:
    _, out, _ = call("--help")
    examples = [
        line.split("  writes ")[0] for line in out if line.startswith("  python infer.py ") and "  writes " in line
    ]
    assert len(examples) == 2
    for name in ("photo.jpg", "holiday/a.jpg", "more/b.png"):
        picture(folder / name)
    (folder / "checkpoints/night.safetensors").rename(folder / "checkpoints/starry.safetensors")
    (folder / "checkpoints/wave.safetensors").symlink_to("starry.safetensors")
    for example in examples:
        assert call(*shlex.split(example)[2:])[0] == 0
    assert {"photo-starry.jpg", "styled/a-wave.jpg", "styled/b-wave.png"} < set(names(folder))


def test_infer_imports_nothing_that_only_training_needs(folder: Path) -> None:
    heavy = "{'pytorch_lightning', 'lightning', 'hydra', 'torchvision', 'wandb', 'datasets', 'stylenet.losses.vgg'}"
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


def test_an_output_with_a_known_suffix_is_a_file_and_one_without_or_with_a_slash_a_folder(folder: Path) -> None:
    assert targets(plan(["photo.png"], "night", "x/y.JPG")) == ["x/y.JPG"]
    assert targets(plan(["photo.png"], "night", "x/y")) == ["x/y/photo-night.png"]
    assert targets(plan(["photo.png"], "night", "x/y.jpg.d/")) == ["x/y.jpg.d/photo-night.png"]
    for name in ("z.jpg", "z.v2"):
        (folder / name).mkdir()
        assert targets(plan(["photo.png"], "night", name)) == [f"{name}/photo-night.png"]
    assert not (folder / "x").exists()


@pytest.mark.parametrize("name", ["out.jp2", "out.jpgg", "x/out.v2", "out.heic", "out.avi"])
def test_an_output_with_an_unknown_suffix_is_refused_with_what_can_be_written(folder: Path, name: str) -> None:
    with pytest.raises(
        ValueError, match=r"cannot write this kind of file; supported: \.jpg, .*\.mp4.*; a folder of .*/$"
    ):
        plan(["photo.png"], "night", name)


def test_globs_are_found_here_too_and_mirrored_from_their_fixed_part(folder: Path) -> None:
    for name in ("in/a.png", "in/b/a.png", "in/b/a.txt"):
        picture(folder / name)
    jobs = plan(["in/**/*", "in"], "night", "out")
    assert sorted(targets(jobs)) == ["out/a-night.png", "out/b/a-night.png"]
    assert targets(plan(["ph*.png"], "night")) == ["photo-night.png"]


def test_a_file_whose_name_looks_like_a_glob_is_itself(folder: Path) -> None:
    picture(folder / "p[h]oto.png")
    assert targets(plan(["p[h]oto.png"], "night")) == ["p[h]oto-night.png"]


def test_a_picture_named_twice_is_stylized_once(folder: Path) -> None:
    assert len(plan(["photo.png", "./photo.png", str(folder / "photo.png"), "ph*"], "night")) == 1


@pytest.mark.parametrize("way", ["itself", "symbolic link", "hard link", "linked folder", "dots", "new dots"])
def test_no_result_overwrites_an_input_by_any_way(folder: Path, way: str) -> None:
    output = {
        "itself": "photo.png",
        "dots": "checkpoints/../photo.png",
        "new dots": "new/../photo.png",
        "linked folder": "link/photo.png",
    }
    (folder / "link").symlink_to(folder)
    (folder / "symbolic link.png").symlink_to("photo.png")
    os.link(folder / "photo.png", folder / "hard link.png")
    with pytest.raises(ValueError, match=r"would overwrite the input photo\.png"):
        plan(["photo.png"], "night", output.get(way, f"{way}.png"))


def test_no_sequence_overwrites_its_frames_through_a_new_folder(folder: Path) -> None:
    picture(folder / "frames" / "1.png")
    with pytest.raises(ValueError, match="would overwrite the input"):
        plan(["frames/%d.png"], "night", "new/../frames/%d.png")


def test_a_link_to_nothing_in_a_folder_is_an_input_that_is_missing(folder: Path) -> None:
    picture(folder / "in" / "a.png")
    (folder / "in" / "b.png").symlink_to("nowhere.png")
    assert sorted(targets(plan(["in"], "night", "out"))) == ["out/a-night.png", "out/b-night.png"]


def test_no_result_overwrites_another_pictures_input(folder: Path) -> None:
    picture(folder / "photo-night.png")
    with pytest.raises(ValueError, match=r"result for photo\.png would overwrite the input photo-night\.png"):
        plan(["photo.png", "photo-night.png"], "night")


def test_two_inputs_for_one_result_are_named_before_work(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a/x\.png and b/x\.png would both become out/x-night\.png"):
        plan(["a/x.png", "b/x.png"], "night", "out")


def test_two_inputs_for_one_result_by_the_format_too(folder: Path) -> None:
    assert len(plan(["x.png", "x.jpg"], "night")) == 2
    with pytest.raises(
        ValueError, match=r"a/x\.png and b/x\.png would both become out/x-night\.webp; each needs an out"
    ):
        plan(["a/x.png", "b/x.png", "x.jpg"], "night", "out", ".webp")


def test_results_of_one_name_are_told_apart_by_the_suffixes_of_their_sources(folder: Path) -> None:
    assert targets(plan(["x.JPG", "x.png", "y.png"], "night", suffix=".jpg")) == [
        "x-JPG-night.jpg",
        "x-png-night.jpg",
        "y-night.jpg",
    ]
    assert targets(plan(["a/x.avi", "b/x.mkv"], "night", "out")) == ["out/x-avi-night.mkv", "out/x-mkv-night.mkv"]
    assert targets(plan(["x.jfif", "x.heic"], "night")) == ["x-night.jpg", "x-night.png"]


def test_results_told_apart_are_skipped_once_they_are_there(call: Run, folder: Path) -> None:
    for name in ("in/x.png", "in/x.bmp"):
        picture(folder / name)
    for done in ("2 images; ", "0 images, 2 skipped; "):
        code, out, err = call("in", "-s", "night", "--format", "jpg", "--skip-existing")
        assert (code, err, out[-1].startswith(done)) == (0, [], True)
    assert names(folder / "in") == ["x-bmp-night.jpg", "x-png-night.jpg", "x.bmp", "x.png"]


def test_results_of_an_earlier_run_are_no_inputs_when_existing_ones_are_skipped(folder: Path) -> None:
    picture(folder / "photo-night.png")
    assert targets(plan(["*.png"], "night", skip_existing=True)) == ["photo-night.png"]


def test_one_output_file_cannot_hold_two_pictures(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.jpg is one file, but there are 2 inputs"):
        plan(["a.png", "b.png"], "night", "x.jpg")
    with pytest.raises(ValueError, match=r"x\.heic: cannot write this kind"):
        plan(["a.png"], "night", "x.heic")


def test_no_result_leaves_the_output_folder_through_a_link(folder: Path) -> None:
    picture(folder / "in/deep/a.png")
    (folder / "out").mkdir()
    (folder / "out/deep").symlink_to(folder / "checkpoints")
    with pytest.raises(ValueError, match="would lie outside of out: a link leads there"):
        plan(["in"], "night", "out")


def test_a_folder_without_pictures_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="folder empty has no images or videos"):
        plan(["empty"], "night")
