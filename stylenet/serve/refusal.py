"""Answers without any work, and how a client gets them that still sends its body."""

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

DISCONNECTED = 499  # nginx's status for a client that disconnected; it is never received
DISK_FULL = 60.0  # seconds until a disk without room may have some
SMALL = 1_000_000  # bytes that are discarded after a refusal, so that the connection can be used again
LINGER = 2.0  # seconds for that


@dataclass(frozen=True)
class Refusal:
    """An answer without any work: its HTTP status, a line, and further headers."""

    status: int
    message: str
    headers: Mapping[str, str]

    @classmethod
    def later(cls, message: str, seconds: float, status: int = HTTPStatus.TOO_MANY_REQUESTS) -> "Refusal":
        """A refusal with `Retry-After`: `seconds`, rounded up."""
        return cls(status, message, {"Retry-After": str(max(1, math.ceil(seconds)))})

    @property
    def error(self) -> HTTPException:
        """The same, to be raised within a route."""
        return HTTPException(self.status, self.message, self.headers)


ENDING = Refusal.later("the service is ending", 2.0, HTTPStatus.SERVICE_UNAVAILABLE)


def no_room(message: str) -> Refusal:
    """The refusal of what the disk has no room for now."""
    return Refusal.later(message, DISK_FULL, HTTPStatus.SERVICE_UNAVAILABLE)


def not_stored(error: OSError) -> Refusal:
    """The refusal of an upload that the disk did not take."""
    return no_room(f"the upload cannot be stored: {error.strerror}")


async def refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once, then reads on for a moment: a client that still sends would lose the answer otherwise."""
    body = json.dumps({"detail": refusal.message}).encode()
    asked = dict(scope["headers"])
    length = asked.get(b"content-length", b"0")
    waits = b"expect" in asked  # the client sends its body after a 100 Continue only
    small = not waits and b"transfer-encoding" not in asked and length.isdigit() and int(length[:20]) <= SMALL
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **refusal.headers,
        **({} if small else {"Connection": "close"}),
    }
    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if not waits:
        await drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def drain(receive: Receive) -> None:
    """Discards a body, up to `SMALL` bytes and `LINGER` seconds."""
    count = 0
    try:
        async with asyncio.timeout(LINGER):
            while count <= SMALL:
                message = await receive()
                count += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
