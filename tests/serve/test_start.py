"""What keeps the service from starting is one line and exit code 1, before a worker starts."""

import socket
from pathlib import Path

import pytest
from service_client import client, noise

from stylenet.cli.main import main
from stylenet.serve.results_folder import ResultsFolder


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid, port 0: "),
        (["--host", "a..b"], "cannot listen on a..b, port 0: "),
        (["--results", "photo.png"], "cannot write photo.png: File exists"),
        (["--results", "photo.png/results"], "cannot write photo.png/results: "),
        (["--device", "mps"], "there is no device 'mps'; this machine has: cpu"),
    ],
)
def test_what_it_cannot_have_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    assert main(["serve", "--styles", "night", "--workers", "1", "--port", "0", *options]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"stylenet serve: error: {reason}")


def test_a_port_in_use_is_one_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--styles", "night", "--port", str(port)]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line == f"stylenet serve: error: cannot listen on 127.0.0.1, port {port}: Address already in use"


def test_without_a_name_results_have_a_temporary_folder_or_the_reason_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def mkdtemp(prefix: str) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("stylenet.serve.results_folder.tempfile.mkdtemp", mkdtemp)
    with pytest.raises(ValueError, match="no temporary folder for results: Read-only file system"):
        ResultsFolder(None)


def test_an_upload_that_the_disk_has_no_room_for_is_503_and_leaves_nothing(night: Path, tmp_path: Path) -> None:
    with client(styles=(str(night),), results=tmp_path / "results") as found:
        jobs = found.app.state.service.jobs  # type: ignore[attr-defined]
        job = jobs.open

        def full(expected: int) -> object:
            made = job(expected)
            (made.folder / "upload").symlink_to("/dev/full")
            return made

        jobs.open = full
        answer = found.post("/v1/jobs?style=night", content=noise())
        assert (answer.status_code, answer.json()["detail"]) == (
            503,
            "the upload cannot be stored: No space left on device",
        )
        assert not list((tmp_path / "results/stylenet-jobs").glob("job-*"))
