"""`infer.py FOLDER --shard K/N`: a part of the images, for array jobs."""

import pytest
from infer_command import Run, names, picture


def test_shards_are_disjoint_and_together_everything(folder, call: Run) -> None:
    for number in range(5):
        picture(folder / f"in/{number}.png")
    done = []
    for shard in ("1/3", "2/3", "3/3"):
        before = set(names(folder / "out")) if (folder / "out").exists() else set()
        assert call("in", "-s", "night", "-o", "out", "--shard", shard)[0] == 0
        done.append(sorted(set(names(folder / "out")) - before))
    assert done == [["0-night.png", "3-night.png"], ["1-night.png", "4-night.png"], ["2-night.png"]]


def test_a_shard_without_images_is_no_error(folder, call: Run) -> None:
    picture(folder / "in/0.png")
    assert call("in", "-s", "night", "-o", "out", "--shard", "2/2")[0] == 0
    assert not (folder / "out").exists()


@pytest.mark.parametrize("text", ["0/16", "17/16", "a/b", "3", "/", "1/0", "-1/2", "1.5/2"])
def test_another_shard_is_one_line(folder, call: Run, text: str) -> None:
    code, out, err = call(".", "-s", "night", "-o", "out", f"--shard={text}")
    assert (code, out, len(err)) == (1, [], 1)
    assert f"a shard is K/N, from 1/N to N/N as in 3/16, got {text}" in err[0]


def test_a_shard_needs_an_output_of_its_own(folder, call: Run) -> None:
    code, _, err = call(".", "-s", "night", "--shard", "1/2")
    assert (code, "--shard needs -o" in err[0]) == (1, True)
