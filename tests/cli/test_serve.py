"""`stylenet serve` as a user starts it: mistakes, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytest.importorskip("fastapi")

from infer_command import ROOT
from service_client import noise, save_tiny, wait_for

from stylenet.cli.main import main

CALL = Callable[..., list[str]]


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CALL:
    """Calls the command, which must end with exit code 1 before it serves; the lines that it says."""
    monkeypatch.setattr("stylenet.serve.server.Server.run", lambda *_: pytest.fail("it serves"))

    def call(*arguments: str) -> list[str]:
        assert main(["serve", *arguments]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err.splitlines()

    return call


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "65536"], "argument --port: must be a whole number from 0 to 65535, got 65536 (see --help)"),
        (["--port", "high"], "argument --port: must be a whole number from 0 to 65535, got high (see --help)"),
        (["--styles", "dawn"], "there is no style dawn; available: "),
        (["--styles", "night#wave"], "night holds one style: leave out # and the name behind it"),
        (["--styles", "photo.png"], "photo.png is not a whole safetensors file"),
        (["--styles"], "argument --styles: expected at least one argument (see --help)"),
        (["--workers", "0"], "argument --workers: must be a whole number of at least 1, got 0 (see --help)"),
        (["--rate", "0"], "argument --rate: must be a number above 0, got 0 (see --help)"),
        (["--drain", "nan"], "argument --drain: must be a number above 0, got nan (see --help)"),
        (["--job-bytes", "9", "--results-bytes", "5"], "room for results (5 bytes) must hold at least one upload (9)"),
        (["--fallback", "small"], "argument --fallback: invalid choice: 'small' (choose from 'tiny') (see --help)"),
        (["night"], "unrecognized arguments: night (see --help)"),
    ],
)
def test_a_mistake_is_one_line(refused: CALL, arguments: list[str], reason: str) -> None:
    (line,) = refused(*arguments)
    assert line.startswith(f"stylenet serve: error: {reason}")


def test_a_port_that_is_in_use_is_one_line_before_any_style_is_loaded(
    refused: CALL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylenet.serve.server.create_app", lambda _: pytest.fail("it loads"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused("--port", str(port)) == [
            f"stylenet serve: error: cannot listen on 127.0.0.1, port {port}: Address already in use"
        ]


def test_a_mistake_in_a_variable_is_one_line(refused: CALL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLENET_SERVE_STYLES", "night dawn")
    assert refused()[0].startswith("stylenet serve: error: there is no style dawn; ")
    monkeypatch.setenv("STYLENET_SERVE_QUEUE", "-1")
    assert refused()[0].endswith("argument --queue: must be a whole number of at least 1, got -1 (see --help)")


@pytest.mark.parametrize("module", ["fastapi", "uvicorn", "python_multipart", "prometheus_client", "fastapi_swagger"])
def test_a_missing_extra_is_one_line(refused: CALL, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert refused() == ["stylenet serve: error: the service needs its extra: pip install 'stylenet[serve]'"]


Service = tuple["subprocess.Popen[str]", str]


@contextmanager
def started(style: Path, *options: str) -> Iterator[Service]:
    """The command in a process of its own, ready, with its address."""
    command = [sys.executable, "-m", "stylenet", "serve", "--port", "0", "--styles", str(style), "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, *options], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        url = process.stderr.readline().split()[2].rstrip(",")
        wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        yield process, url
    finally:
        process.kill()
        process.wait()


def under_load(service: Service, bodies: list[bytes]) -> list[httpx.Response]:
    """The answers to requests that are let in when SIGTERM comes; nothing is let in after it."""
    process, url = service

    def post(body: bytes) -> httpx.Response:
        return httpx.post(f"{url}/v1/stylize?style=night&stroke=0.5", content=body, timeout=250)

    with ThreadPoolExecutor(len(bodies)) as threads:
        answers = [threads.submit(post, body) for body in bodies]
        wait_for(lambda: f"stylenet_requests_inside {len(bodies)}.0" in httpx.get(f"{url}/metrics").text)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: not listens(url))
        return [answer.result() for answer in answers]


def listens(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code > 0
    except httpx.TransportError:
        return False


def test_after_sigterm_all_that_was_let_in_is_answered(tmp_path: Path) -> None:
    with started(save_tiny(tmp_path / "night.safetensors"), "--workers", "1", "--drain", "200") as service:
        answers = under_load(service, [noise(700, 700)] + 5 * [noise(300, 300)])
        assert [answer.status_code for answer in answers] == 6 * [200]
        assert service[0].stderr.read() == ""
        assert service[0].wait() == 0


def test_after_a_second_sigint_no_request_is_waited_for(tmp_path: Path) -> None:
    results = tmp_path / "results"
    options = ["--workers", "1", "--drain", "200", "--max-pixels", "50000000", "--results", str(results)]
    with (
        started(save_tiny(tmp_path / "night.safetensors"), *options) as (process, url),
        ThreadPoolExecutor(1) as threads,
    ):
        body = noise(3500, 3500, "JPEG")
        answer = threads.submit(httpx.post, f"{url}/v1/stylize?style=night&stroke=0.5", content=body, timeout=250)
        wait_for(lambda: "stylenet_workers_busy 1.0" in httpx.get(f"{url}/metrics").text)
        httpx.post(f"{url}/v1/jobs?style=night", content=body)
        process.send_signal(signal.SIGINT)
        wait_for(lambda: not listens(url))
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() == 0
        assert answer.result().status_code == 503
        assert not list(results.rglob("job-*"))


def test_after_the_time_to_drain_the_rest_is_503_and_the_service_ends(tmp_path: Path) -> None:
    with started(
        save_tiny(tmp_path / "night.safetensors"), "--workers", "1", "--drain", "1", "--max-pixels", "50000000"
    ) as service:
        start = time.monotonic()
        answers = under_load(service, 2 * [noise(3500, 3500, "JPEG")])
        assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == 2 * [(503, "2")]
        assert answers[0].json() == {"detail": "the service is ending"}
        (line,) = service[0].stderr.read().splitlines()  # uvicorn's
        assert "timeout graceful shutdown exceeded" in line
        assert service[0].wait() == 0
        assert time.monotonic() - start < 60
