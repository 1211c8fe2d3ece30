"""Files by the names that people type."""

from pathlib import Path

import pytest

from stylenet.disk import find_file, find_painting, home_expanded, shipped_paintings
from stylenet.errors import UserError
from stylenet.models.catalog import find_style


def test_a_tilde_is_the_home_folder_unless_a_file_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert home_expanded("~/wave.jpg") == Path("/home/somebody/wave.jpg")
    assert home_expanded("~no-such-user.jpg") == Path("~no-such-user.jpg")
    Path("~wave.jpg").touch()
    assert find_file("~wave.jpg") == Path("~wave.jpg")


def test_a_name_with_a_tilde_that_is_nowhere_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there is none at ~no-such-user\.jpg"):
        find_painting("~no-such-user.jpg")
    with pytest.raises(UserError, match="there is no style ~no-such-user"):
        find_style("~no-such-user")


def test_a_shipped_painting_is_any_image_beside_a_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "starry" in shipped_paintings()
    folder = tmp_path / "configs" / "style"
    folder.mkdir(parents=True)
    for name in ("klee.png", "klee.yaml", "own.yaml", "other.jpg"):
        (folder / name).touch()
    monkeypatch.setattr("stylenet.disk.shipped_files", lambda: tmp_path)
    assert shipped_paintings() == {"klee": folder / "klee.png"}
