"""Connections, below the app."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi")

import uvicorn
from service_client import wait_for
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from stylenet.serve.server import Protocol

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """To a server that waits for headers for half a second."""
    monkeypatch.setattr("stylenet.serve.server.HEADERS", 0.5)
    server = uvicorn.Server(uvicorn.Config(echo, port=0, http=Protocol, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as found:
        yield found
    server.should_exit = True
    thread.join()


def test_a_connection_whose_headers_do_not_come_is_closed(connection: socket.socket) -> None:
    connection.sendall(HEAD[:20])
    time.sleep(0.3)
    connection.sendall(HEAD[20:24])  # which gives it no further time
    start = time.monotonic()
    assert connection.recv(100) == b""
    assert time.monotonic() - start < 0.4


def test_a_body_and_the_time_between_requests_are_no_headers(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(HEAD + b"ab")
        time.sleep(0.7)
        connection.sendall(b"cd")
        answer = b""
        while not answer.endswith(b"abcd"):
            answer += connection.recv(1000)
        time.sleep(0.7)
    connection.sendall(HEAD[:20])
    assert connection.recv(100) == b""
