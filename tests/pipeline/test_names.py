"""Names with a percent sign or a slash, which mean something else than a file elsewhere."""

from pathlib import Path

import pytest
from clips import STEADY, make_clip
from infer_command import Run, names, picture
from service_client import save_gallery

from stylenet.errors import UserError
from stylenet.media.numbered_images import NumberedImages
from stylenet.models.catalog import StyleReference
from stylenet.pipeline.plan import plan


def test_the_result_of_a_clip_with_a_percent_sign_is_a_clip(call: Run, folder: Path) -> None:
    make_clip(folder / "50%dark.mp4", STEADY[:3], sound=False)
    assert call("50%dark.mp4", "-s", "night")[0] == 0
    assert "50%dark-night.mp4" in names(folder)


def test_an_image_with_a_percent_sign_is_skipped_once_it_is_done(call: Run, folder: Path) -> None:
    picture(folder / "50%dark.png")
    assert call("50%dark.png", "-s", "night", "--skip-existing")[0] == 0
    code, out, _ = call("50%dark.png", "photo.png", "-s", "night", "--skip-existing")
    assert (code, "1 skipped" in out[-1]) == (0, True)


def test_a_video_is_no_sequence_and_images_are() -> None:
    assert NumberedImages.of("%04d.mp4") is None
    assert NumberedImages.of("%04d.png") is not None


def test_numbered_images_whose_results_would_have_two_numbers_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    with pytest.raises(UserError, match=r"%d-a%db\.png is no pattern of numbered images; choose another output"):
        plan([str(tmp_path / "%d.png")], "a%db")


def test_results_of_any_network_of_many_styles_are_no_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("checkpoints").mkdir()
    save_gallery(Path("checkpoints/mine.safetensors"), "night", "sea wall")
    parts = ("photo-mine-night-unfinished.jpg", "photo-mine-sea wall-unfinished-2.jpg")
    for name in ("photo.jpg", "photo-mine-night.jpg", "photo-mine-sea wall.jpg", "photo-mine-other.jpg", *parts):
        picture(Path("photos") / name)
    jobs = plan(["photos"], "starry")
    assert [job.source.name for job in jobs] == ["photo-mine-other.jpg", "photo.jpg"]


def test_a_slash_in_a_styles_name_is_no_folder() -> None:
    assert StyleReference(Path("gallery.safetensors"), "../a/b").name == "gallery-..-a-b"


def test_a_style_with_a_slash_that_is_not_there_is_one_line(call: Run, folder: Path) -> None:
    code, _, err = call("photo.png", "-s", "night#a/b")
    assert (code, len(err)) == (1, 1)
    assert "night holds one style" in err[0]
