"""What a cluster has to do: names of images and results, on disks and behind URLs."""

import pickle
from pathlib import Path

import fsspec
import pytest
from infer_command import picture

from stylenet.cluster.places import Place
from stylenet.cluster.plan import plan_rows
from stylenet.cluster.run import block_size, check_answers
from stylenet.errors import UserError


def test_results_are_named_as_infer_names_them(tmp_path) -> None:
    for name in ("b.png", "sub/a.png", ".hidden.png", "notes.txt"):
        picture(tmp_path / "in" / name)
    todo = plan_rows(Place(str(tmp_path / "in")), Place(str(tmp_path / "out")), "night", None, False)
    assert dict(zip(todo.names, todo.results, strict=True)) == {
        "b.png": "b-night.png",
        "sub/a.png": "sub/a-night.png",
    }


def test_results_of_one_name_are_told_apart_on_disk_and_behind_a_url(tmp_path) -> None:
    memory = fsspec.filesystem("memory")
    for name in ("a.png", "a.jpg"):
        picture(tmp_path / "in" / name)
        memory.pipe_file(f"/alike/{name}", b"")
    for source, target in ((str(tmp_path / "in"), str(tmp_path / "out")), ("memory://alike", "memory://made")):
        todo = plan_rows(Place(source), Place(target), "night", ".jpg", False)
        assert todo.results == ["a-jpg-night.jpg", "a-png-night.jpg"]


def test_what_is_there_is_skipped(tmp_path) -> None:
    for name in ("in/a.png", "in/b.png", "out/a-night.jpg"):
        picture(tmp_path / name)
    todo = plan_rows(Place(str(tmp_path / "in")), Place(str(tmp_path / "out")), "night", ".jpg", True)
    assert (todo.names, todo.results, todo.present) == (["b.png"], ["b-night.jpg"], 1)


def test_urls_are_listed_read_and_written_by_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    for name in ("a.JPG", "sub/b.avif", ".c.png", "notes.txt"):
        memory.pipe_file(f"/photos/{name}", name.encode())
    source, target = Place("memory://photos"), Place("memory://styled")
    todo = plan_rows(source, target, "night", None, False)
    assert todo.names == ["a.JPG", "sub/b.avif"]
    assert todo.results == ["a-night.JPG", "sub/b-night.png"]
    target.write("sub/b-night.png", source.read("sub/b.avif"))
    assert memory.cat_file("/styled/sub/b-night.png") == b"sub/b.avif"
    assert plan_rows(source, target, "night", None, True).names == ["a.JPG"]


@pytest.mark.parametrize(
    ("source", "target", "line"),
    [
        ("missing", "out", "there is no folder"),
        ("in", "in/out", "is inside the input"),
        ("in", "in", "is inside the input"),
        ("empty", "out", "has no pictures"),
        ("in", "inside", ""),
        ("nowhere://a", "out", "nowhere://a"),
        ("memory://missing", "out", "memory://missing"),
        ("github://photos", "out", "github://photos"),  # whose driver wants more than this
        ("memory://a", "memory://a/b", "is inside the input"),
    ],
)
def test_what_cannot_work_is_one_line(tmp_path, monkeypatch, source: str, target: str, line: str) -> None:
    picture(tmp_path / "in/a.png")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    if not line:
        assert plan_rows(Place(source), Place(target), "night", None, False).names == ["a.png"]
        return
    with pytest.raises(UserError) as error:
        plan_rows(Place(source), Place(target), "night", None, False)
    assert line in str(error.value).replace("no images", "no pictures")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("file://{}/in", "{}/in/out"),
        ("{}/in", "file://{}/in/out"),
        ("file://{}/in", "local://{}/./in/out"),
        ("{}/in", "{}/link/out"),
        ("memory://a", "memory://b/../a/out"),
    ],
)
def test_an_output_inside_the_input_is_found_in_any_spelling(tmp_path, source: str, target: str) -> None:
    picture(tmp_path / "in/a.png")
    (tmp_path / "link").symlink_to("in")
    with pytest.raises(UserError, match="is inside the input"):
        plan_rows(Place(source.format(tmp_path)), Place(target.format(tmp_path)), "night", None, False)


def test_blocks_are_small_enough_for_all_actors_and_large_enough_for_ray() -> None:
    assert [block_size(*pair) for pair in ((3, 8), (1000, 2), (1_000_000, 200), (1_000_000, 8))] == [1, 62, 256, 256]


@pytest.mark.parametrize(
    ("target", "reason"), [("photo.png/out", "cannot write "), ("nosuchprotocol://out", "Protocol not known")]
)
def test_a_place_that_cannot_be_written_is_one_line_before_ray_starts(tmp_path, target: str, reason: str) -> None:
    picture(tmp_path / "in/a.png")
    picture(tmp_path / "photo.png")
    place = target if "://" in target else str(tmp_path / target)
    with pytest.raises(UserError, match=reason):
        plan_rows(Place(str(tmp_path / "in")), Place(place), "night", None, False)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "no.such.host.invalid:6379"])
def test_a_cluster_where_nobody_listens_is_one_line_at_once(address: str) -> None:
    with pytest.raises(UserError, match=f"no Ray cluster at {address}: "):
        check_answers(address)


def test_other_addresses_are_left_to_ray() -> None:
    for address in (None, "auto", "local"):
        check_answers(address)


@pytest.mark.parametrize("url", [False, True])
def test_results_of_earlier_runs_are_left_out_with_a_line(tmp_path, url: bool) -> None:
    for name in ("beach.png", "beach-starry.png", "other-starry.png"):
        picture(tmp_path / "in" / name)
    said: list[str] = []
    source = Place(f"file://{tmp_path}/in" if url else str(tmp_path / "in"))
    todo = plan_rows(source, Place(str(tmp_path / "out")), "night", None, False, said.append)
    assert todo.names == ["beach.png", "other-starry.png"]
    assert len(said) == 1
    assert said[0].endswith("beach-starry.png")


def test_a_result_behind_a_file_url_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    place = Place(f"file://{tmp_path}/out")
    place.write("deep/a.png", b"whole")
    assert place.read("deep/a.png") == b"whole"

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        place.write("deep/b.png", b"half")
    assert place.files() == ["deep/a.png"]


def test_a_relative_path_is_that_of_the_machine_it_was_typed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "in/a.png")
    monkeypatch.chdir(tmp_path)
    travels = pickle.dumps((Place("in"), Place("out")))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    source, target = pickle.loads(travels)
    target.write("b.png", source.read("a.png"))
    assert (tmp_path / "out/b.png").read_bytes() == (tmp_path / "in/a.png").read_bytes()
