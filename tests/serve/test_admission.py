"""Rates, load, and refusals before a body is read."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("fastapi")

import stylenet.serve.admission
from stylenet.errors import UserError
from stylenet.serve.admission import endpoint_of, limit_body, unfit
from stylenet.serve.load import Rates
from stylenet.serve.refusal import Refusal, refuse
from stylenet.serve.settings import Limits, ServiceSettings

LIMITS = Limits(1000, 1000, 0.2)


def test_a_client_has_a_quarter_of_its_minute_at_once_and_the_rest_in_time() -> None:
    now = [0.0]
    rates = Rates(8.0, clock=lambda: now[0])  # 2 at once, then one every 7.5 s
    assert [rates.wait("a") for _ in range(3)] == [0, 0, 7.5]
    assert rates.wait("b") == 0
    now[0] = 5.0
    assert rates.wait("a") == pytest.approx(2.5)
    now[0] = 7.5
    assert [rates.wait("a"), rates.wait("a")] == [0, 7.5]


def test_rates_remember_a_bounded_number_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylenet.serve.load.CLIENTS", 3)
    rates = Rates(8.0)
    for client in "abcde":
        rates.wait(client)
    assert list(rates.buckets) == ["c", "d", "e"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({b"content-length": b"1000", b"content-type": b"IMAGE/PNG"}, None),
        ({b"content-length": b"1001"}, 413),
        ({b"content-length": b"9" * 5000}, 413),
        ({b"content-length": b"-1"}, 400),
        ({b"content-type": b"application/json"}, 415),
    ],
)
def test_what_a_head_says_of_a_body_that_is_of_no_use(headers: dict[bytes, bytes], status: int | None) -> None:
    refusal = unfit(headers, LIMITS)
    assert (refusal.status if refusal else None) == status


class Wire:
    """The two ends of a request: what is received from `parts`, then nothing more; what was sent."""

    def __init__(self, *parts: bytes) -> None:
        self.parts, self.sent = list(parts), []

    async def receive(self) -> dict[str, Any]:
        if not self.parts:
            await asyncio.sleep(3600)
        body = self.parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.parts) or body != b"."}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append({**message, "left": len(self.parts)})


def in_a_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs it in a thread of its own: Playwright leaves a loop running in the main one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def refused_on(wire: Wire, **headers: str) -> dict[str, str]:
    scope = {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}
    in_a_loop(refuse(Refusal.later("busy", 2.1), scope, wire.receive, wire.send))
    return {name.decode(): value.decode() for name, value in wire.sent[0]["headers"]}


def test_a_refusal_is_sent_before_the_body_is_read_and_a_small_body_leaves_the_connection_open() -> None:
    wire = Wire(b"a", b"b", b".")
    headers = refused_on(wire, content_length="3")
    assert (headers["retry-after"], "connection" in headers) == ("3", False)
    assert [message["left"] for message in wire.sent] == [3, 3, 0]
    assert wire.sent[1]["body"] == b'{"detail": "busy"}'


def test_after_a_refusal_a_large_body_is_read_up_to_a_limit_and_the_connection_closed() -> None:
    wire = Wire(*[bytes(500_000)] * 9)
    headers = refused_on(wire, content_length="4500000")
    assert headers["connection"] == "close"
    assert wire.sent[-1]["left"] == 6


def test_a_client_that_waits_for_a_word_is_told_at_once() -> None:
    wire = Wire(b"a", b".")
    assert refused_on(wire, content_length="2", expect="100-continue")["connection"] == "close"
    assert wire.sent[-1]["left"] == 2


def test_a_body_that_trickles_in_is_408() -> None:
    from starlette.exceptions import HTTPException

    async def read() -> None:
        receive = limit_body(Wire(b"a").receive, LIMITS)
        await receive()
        await receive()

    with pytest.raises(HTTPException, match="took more than") as error:
        in_a_loop(read())
    assert error.value.status_code == 408


def test_a_body_of_which_nothing_arrives_is_408_long_before_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.exceptions import HTTPException

    monkeypatch.setattr(stylenet.serve.admission, "STALLED", 0.1)

    async def read() -> None:
        await limit_body(asyncio.Event().wait, replace(LIMITS, seconds=900.0))()

    with pytest.raises(HTTPException, match=r"no byte of the body arrived for 0.1 seconds") as error:
        in_a_loop(read())
    assert error.value.status_code == 408


def test_labels_of_metrics_are_few() -> None:
    paths = [f"/v1/jobs/{number}" for number in range(9)] + [f"/{number}" for number in range(9)] + ["/v1/x", "/v1/y"]
    assert {endpoint_of(path) for path in paths} == {"/v1/jobs/id", "other", "/v1/other"}
    assert endpoint_of("/v1/jobs/7/result") == "/v1/jobs/result"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"queue": 0}, "queue must be at least 1, got 0"),
        ({"rate": 0.0}, "rate must be above 0 requests per minute, got 0"),
        ({"fallback": "large"}, "fallback must be one of tiny, got large"),
        ({"results_bytes": 5}, "room for results (5 bytes) must hold at least one upload (500,000,000)"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as error:
        ServiceSettings(**settings)
    assert str(error.value) == line
