"""The folder of uploads and results: what a service deletes in it, and what it does not."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from stylenet.cli.main import main
from stylenet.errors import UserError
from stylenet.serve.results_folder import ResultsFolder

ID = "Uk3zGqk0-_Uk3zGqk0-_Uk"


def test_folders_that_the_service_did_not_make_are_kept(tmp_path: Path) -> None:
    others = [tmp_path / "job-applications", tmp_path / f"job-{ID}", tmp_path / "stylenet-jobs/job-applications"]
    ResultsFolder(tmp_path).close()
    for folder in others:
        folder.mkdir()
    ResultsFolder(tmp_path).close()
    assert all(folder.is_dir() for folder in others)


def test_jobs_of_a_service_that_was_killed_are_deleted_at_the_next_start(tmp_path: Path) -> None:
    ResultsFolder(tmp_path).close()
    left = tmp_path / f"stylenet-jobs/job-{ID}"
    left.mkdir()
    (left / "upload").touch()
    ResultsFolder(tmp_path).close()
    assert not left.exists()


def test_a_second_service_is_refused_and_deletes_nothing_of_the_first(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = ResultsFolder(Path("results"))
    first.job(ID).mkdir()
    options = ["--workers", "1", "--port", "0", "--results", "results"]
    assert main(["serve", "--styles", "night", *options]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line == "stylenet serve: error: another service has its results in results"
    assert first.job(ID).is_dir()
    first.close()


def test_a_folder_of_the_same_name_that_something_else_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stylenet-jobs").mkdir()
    (tmp_path / f"stylenet-jobs/job-{ID}").mkdir()
    with pytest.raises(UserError, match="is not the folder of a service: rename it"):
        ResultsFolder(tmp_path)
    assert (tmp_path / f"stylenet-jobs/job-{ID}").is_dir()


def test_where_there_are_no_locks_nothing_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ResultsFolder(tmp_path)
    first.job(ID).mkdir()

    def without(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock", without)
    assert ResultsFolder(tmp_path).job(ID).is_dir()
