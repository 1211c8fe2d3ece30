"""Checks before a request's body is read: API key, rate, queue, size and type."""

import asyncio
import hmac
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylenet.serve.jobs import Jobs
from stylenet.serve.metrics import Metrics
from stylenet.serve.pool import Pool
from stylenet.serve.settings import Limits, ServiceSettings

STYLIZE, JOBS = "/v1/stylize", "/v1/jobs"
CLIENTS = 10_000  # with a rate in memory
SMALL = 1_000_000  # bytes that are discarded after a refusal, so that the connection can be used again
LINGER = 2.0  # seconds for that
# Content types of bodies that are read; curl's --data-binary says form-urlencoded unless told otherwise.
TYPES = ("multipart/form-data", "image/", "video/", "application/octet-stream", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Refusal:
    """An answer without any work: its HTTP status, a line, and further headers."""

    status: int
    message: str
    headers: Mapping[str, str]

    @classmethod
    def later(cls, message: str, seconds: float, status: int = 429) -> "Refusal":
        """A refusal with `Retry-After`: `seconds`, rounded up."""
        return cls(status, message, {"Retry-After": str(max(1, math.ceil(seconds)))})


class Rates:
    """Limits requests per minute and client: a token bucket each, which holds a quarter of a minute's requests."""

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self.clock = per_minute, clock
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and the time of that count

    def wait(self, client: str) -> float:
        """Takes one request of a client; 0, or the seconds until it may send the next."""
        if self.per_minute is None:
            return 0.0
        now, burst = self.clock(), max(1.0, self.per_minute / 4)
        left, then = self.buckets.pop(client, (burst, now))
        left = min(burst, left + (now - then) * self.per_minute / 60)
        allowed = left >= 1
        self.buckets[client] = (left - 1 if allowed else left, now)
        if len(self.buckets) > CLIENTS:
            self.buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self.per_minute


class Load:
    """Counts the requests in progress, and averages how long one takes."""

    def __init__(self, settings: ServiceSettings, pool: Pool) -> None:
        self.lanes, self.queue = len(pool.lanes), settings.queue
        self.inside = 0
        self.seconds = 0.1  # at work, as a moving average

    @property
    def full(self) -> bool:
        """Whether the next request would have to wait behind a whole queue."""
        return self.inside >= self.lanes + self.queue

    @property
    def high(self) -> bool:
        """Whether the queue is half full, the request itself not counted."""
        return self.inside - 1 >= self.lanes + self.queue // 2

    def took(self, seconds: float) -> None:
        """Notes how long an image was worked on."""
        self.seconds += 0.1 * (seconds - self.seconds)

    @property
    def wait(self) -> float:
        """Estimated seconds until half of the requests in progress are done."""
        return self.inside / 2 * self.seconds / self.lanes


class Gate:
    """ASGI middleware: admits or refuses requests, limits their bodies, counts and times them."""

    def __init__(
        self, app: ASGIApp, settings: ServiceSettings, pool: Pool, jobs: Jobs, load: Load, metrics: Metrics
    ) -> None:
        self.app, self.settings, self.pool, self.jobs = app, settings, pool, jobs
        self.load, self.metrics, self.rates = load, metrics, Rates(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        endpoint, start, answering = endpoint_of(scope["path"]), time.monotonic(), False
        work = scope["method"] == "POST" and endpoint in (STYLIZE, JOBS)

        async def counted(message: Message) -> None:
            nonlocal answering
            answering = True
            if message["type"] == "http.response.start":
                self.metrics.requests.labels(endpoint, message["status"]).inc()
                self.metrics.latency.labels(endpoint).observe(time.monotonic() - start)
            await send(message)

        try:
            await self.answer(scope, endpoint, work, receive, counted)
        except asyncio.CancelledError:  # the time after SIGTERM is over
            if not answering:
                await refuse(Refusal.later("the service is ending", 2.0, status=503), scope, receive, counted)

    async def answer(self, scope: Scope, endpoint: str, work: bool, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        refusal = self.refusal(scope, endpoint, work)
        if refusal is not None:
            await refuse(refusal, scope, receive, send)
        elif work:
            await self.admit(scope, endpoint, receive, send)
        else:
            await self.app(scope, receive, send)

    async def admit(self, scope: Scope, endpoint: str, receive: Receive, send: Send) -> None:
        """Passes a request on; it counts as in progress until it is answered."""
        stylize = endpoint == STYLIZE
        limits = self.settings.image if stylize else self.settings.job
        self.load.inside += stylize
        self.metrics.inside.set(self.load.inside)
        try:
            await self.app(scope, limited(receive, limits), send)
        finally:
            self.load.inside -= stylize
            self.metrics.inside.set(self.load.inside)

    def refusal(self, scope: Scope, endpoint: str, work: bool) -> Refusal | None:
        """The refusal of a request by its headers; None if it is admitted."""
        headers = dict(scope["headers"])
        key = self.key(headers)
        if endpoint.startswith("/v1/") and self.settings.api_keys and key is None:
            return Refusal(401, "an API key is needed: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})
        if not work:
            return None
        return self.busy(key or address_of(scope), endpoint) or unfit(headers, self.limits(endpoint))

    def limits(self, endpoint: str) -> Limits:
        return self.settings.image if endpoint == STYLIZE else self.settings.job

    def key(self, headers: Mapping[bytes, bytes]) -> str | None:
        """The one of the service's keys that the request has; None without any."""
        kind, _, key = headers.get(b"authorization", b"").partition(b" ")
        key = key.strip() if kind.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        return next((known for known in self.settings.api_keys if hmac.compare_digest(key, known.encode())), None)

    def busy(self, client: str, endpoint: str) -> Refusal | None:
        """The refusal of a request that may be sent again later; None if there is room for it.

        `client` is what its rate is counted by: the key itself, as one key can be written in many headers, or the
        address where there are no keys.
        """
        if not self.pool.ready:
            return Refusal.later("the service is starting or ending", 2.0, status=503)
        wait = self.rates.wait(client)
        if wait:
            return Refusal.later(f"more than {self.settings.rate:g} requests per minute from one client", wait)
        if endpoint == STYLIZE and self.load.full:
            return Refusal.later(f"{self.load.inside} requests are running or waiting", self.load.wait)
        if endpoint == JOBS and self.jobs.full:
            return Refusal.later(f"{self.jobs.active} jobs are waiting or running", 10.0)
        return None


def unfit(headers: Mapping[bytes, bytes], limits: Limits) -> Refusal | None:
    """The refusal of a body by its length and type; None if it may be read."""
    length, kind = headers.get(b"content-length", b"0"), headers.get(b"content-type", b"")
    if not length.isdigit():
        return Refusal(400, "Content-Length is not a number", {})
    if int(length[:20]) > limits.bytes:
        return Refusal(413, f"the body has {int(length[:20]):,} bytes, more than the limit of {limits.bytes:,}", {})
    if kind and not kind.lower().startswith(tuple(map(str.encode, TYPES))):
        return Refusal(415, f"the body must be an image or multipart/form-data, got {kind.decode('latin-1')!r}", {})
    return None


def limited(receive: Receive, limits: Limits) -> Receive:
    """The same body, limited in bytes and in the seconds until it has arrived. Raises `HTTPException` 408 or 413."""
    count, end = 0, time.monotonic() + limits.seconds
    complete = False

    async def counted() -> Message:
        nonlocal count, complete
        try:
            # After the body, the next message is the disconnect, which has no deadline.
            message = await asyncio.wait_for(receive(), None if complete else max(0.0, end - time.monotonic()))
        except TimeoutError:
            raise HTTPException(408, f"the body took more than {limits.seconds:g} seconds to arrive") from None
        count += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if count > limits.bytes:
            raise HTTPException(413, f"the body has more bytes than the limit of {limits.bytes:,}")
        return message

    return counted


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


def address_of(scope: Scope) -> str:
    """The address of a client."""
    return str((scope.get("client") or ("",))[0])


def endpoint_of(path: str) -> str:
    """A path as a metric's label; unknown paths share one, so that the number of labels is bounded."""
    if path.startswith(f"{JOBS}/"):
        return f"{JOBS}/result" if path.endswith("/result") else f"{JOBS}/id"
    known = (STYLIZE, JOBS, "/v1/styles", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/")
    return path if path in known else ("/v1/other" if path.startswith("/v1/") else "other")
