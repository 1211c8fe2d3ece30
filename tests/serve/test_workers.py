"""Workers that die, are late or are busy; the queue in front of them."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from service_client import client, noise, stopped, wait_for
from starlette.testclient import TestClient

from stylenet.serve.settings import Limits

URL = "/v1/stylize?style=night"


def test_a_worker_killed_in_mid_image_costs_one_request(service: TestClient) -> None:
    parts, restarts = service.app.state.service, service.app.state.service.pool.restarts
    lane, slow = parts.pool.lanes[0], noise(2000, 2000)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(service.post, URL, content=slow)
        wait_for(lambda: lane.busy and lane.begun)
        second = threads.submit(service.post, URL, content=noise())
        wait_for(lambda: len(parts.pool.requests) == 1)
        os.kill(parts.pool.workers[0].process.pid, signal.SIGKILL)
        assert first.result().status_code == 503
        assert first.result().headers["retry-after"] == "1"
        assert second.result().status_code == 200
    assert parts.pool.restarts == restarts + 1
    assert service.get("/healthz").status_code == 200


def test_a_worker_killed_while_idle_costs_none(service: TestClient) -> None:
    os.kill(service.app.state.service.pool.workers[0].process.pid, signal.SIGKILL)
    assert service.post(URL, content=noise()).status_code == 200


def test_a_full_queue_is_429_before_the_body_is_read(night: Path) -> None:
    with client(styles=(str(night),), queue=1) as found, ThreadPoolExecutor(2) as threads:
        parts = found.app.state.service

        def never() -> None:
            raise AssertionError("the body was read")
            yield b""

        with stopped(parts):
            waiting = [threads.submit(found.post, URL, content=noise()) for _ in range(2)]
            wait_for(lambda: parts.load.inside == 2 and len(parts.pool.requests) == 1)
            length = {"content-length": "1000", "expect": "100-continue"}
            answer = refused(found, length)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            assert answer.json()["detail"] == "2 requests are running or waiting"
            assert found.get("/healthz").status_code == 200  # not behind them
            assert b"stylenet_queue_length 1.0" in found.get("/metrics").content
        assert [task.result().status_code for task in waiting] == [200, 200]
        wait_for(lambda: parts.load.inside == 0)


def refused(found: TestClient, headers: dict[str, str]) -> httpx.Response:
    return found.post(URL, content=noise(), headers=headers)


def test_a_late_image_is_504_and_its_worker_is_replaced(night: Path) -> None:
    with client(styles=(str(night),), image=Limits(10**6, 10**6, 1.5)) as found, ThreadPoolExecutor(2) as threads:
        parts = found.app.state.service
        assert found.post(URL, content=noise()).status_code == 200
        pid = parts.pool.workers[0].process.pid
        os.kill(pid, signal.SIGSTOP)
        answers = [threads.submit(found.post, URL, content=noise()) for _ in range(2)]
        assert [answer.result().status_code for answer in answers] == [504, 504]
        assert answers[0].result().json()["detail"] == "took more than 1.5 seconds"
        wait_for(lambda: parts.pool.workers[0].process.pid != pid and parts.pool.ready)
        assert not parts.pool.requests  # what had waited behind it is dropped as well
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_health_is_lost_when_no_worker_answers(service: TestClient) -> None:
    parts = service.app.state.service
    lane = parts.pool.lanes[0]
    wait_for(lambda: parts.pool.silence() < 5)
    with stopped(parts):
        lane.seen -= 100
        answer = service.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "no worker answers")
    wait_for(lambda: service.get("/healthz").status_code == 200)


def test_so_many_requests_a_minute_from_one_client(night: Path) -> None:
    with client(styles=(str(night),), rate=8.0) as found:
        codes = [found.post(URL, content=noise()).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        answer = found.post(URL, content=noise())
        assert 1 <= int(answer.headers["retry-after"]) <= 8
        assert found.get("/v1/styles").status_code == 200


def test_one_key_has_one_rate_in_whatever_header_it_is_sent(night: Path) -> None:
    ways = (
        {"authorization": "Bearer secret"},
        {"authorization": "bearer  secret"},
        {"authorization": "x1", "x-api-key": "secret"},
        {"authorization": "x2", "x-api-key": "secret"},
    )
    with client(styles=(str(night),), rate=8.0, api_keys=("other", "secret")) as found:  # 2 at once
        codes = [found.post(URL, content=b"no image", headers=way).status_code for way in ways]
        assert codes == [415, 415, 429, 429]
        assert found.post(URL, content=b"no image", headers={"x-api-key": "other"}).status_code == 415


def test_every_worker_stops_with_the_service(night: Path) -> None:
    with client(styles=(str(night),), workers=2) as found:
        pids = [worker.process.pid for worker in found.app.state.service.pool.workers if worker.process]
        wait_for(lambda: all(lane.ready for lane in found.app.state.service.pool.lanes))
        pids = [worker.process.pid for worker in found.app.state.service.pool.workers]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
