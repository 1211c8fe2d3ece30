"""Checks before a request's body is read: API key, rate, queue, size and type."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylenet.serve.jobs import Jobs
from stylenet.serve.load import Load, Rates
from stylenet.serve.metrics import Metrics
from stylenet.serve.pool import Pool
from stylenet.serve.refusal import ENDING, Refusal, refuse
from stylenet.serve.settings import Limits, ServiceSettings

STALLED = 10.0  # seconds without a byte of a body
STYLIZE, JOBS = "/v1/stylize", "/v1/jobs"
# Content types of bodies that are read; curl's --data-binary says form-urlencoded unless told otherwise.
TYPES = ("multipart/form-data", "image/", "video/", "application/octet-stream", "application/x-www-form-urlencoded")


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
                await refuse(ENDING, scope, receive, counted)

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
        self.load.inside += stylize
        self.metrics.inside.set(self.load.inside)
        try:
            await self.app(scope, limit_body(receive, self.limits(endpoint)), send)
        finally:
            self.load.inside -= stylize
            self.metrics.inside.set(self.load.inside)

    def refusal(self, scope: Scope, endpoint: str, work: bool) -> Refusal | None:
        """The refusal of a request by its headers; None if it is admitted."""
        headers = dict(scope["headers"])
        key = self.key(headers)
        if endpoint.startswith("/v1/") and self.settings.api_keys and key is None:
            return Refusal(
                HTTPStatus.UNAUTHORIZED,
                "an API key is needed: Authorization: Bearer KEY",
                {"WWW-Authenticate": "Bearer"},
            )
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
            return Refusal.later("the service is starting or ending", 2.0, HTTPStatus.SERVICE_UNAVAILABLE)
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
        return Refusal(HTTPStatus.BAD_REQUEST, "Content-Length is not a number", {})
    if int(length[:20]) > limits.bytes:
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has {int(length[:20]):,} bytes, more than the limit of {limits.bytes:,}",
            {},
        )
    if kind and not kind.lower().startswith(tuple(map(str.encode, TYPES))):
        return Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body must be an image or multipart/form-data, got {kind.decode('latin-1')!r}",
            {},
        )
    return None


def limit_body(receive: Receive, limits: Limits) -> Receive:
    """The same body, limited in bytes and in the seconds until it has arrived. Raises `HTTPException` 408 or 413.

    A request has its place in the queue, or among the jobs, while its body arrives: one that stalls loses it.
    """
    count, end = 0, time.monotonic() + limits.seconds
    complete = False

    async def counted() -> Message:
        nonlocal count, complete
        try:
            # After the body, the next message is the disconnect, which has no deadline.
            left = max(0.0, end - time.monotonic())
            message = await asyncio.wait_for(receive(), None if complete else min(left, STALLED))
        except TimeoutError:
            slow = f"the body took more than {limits.seconds:g} seconds to arrive"
            still = f"no byte of the body arrived for {STALLED:g} seconds"
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, slow if left <= STALLED else still) from None
        count += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if count > limits.bytes:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more bytes than the limit of {limits.bytes:,}"
            )
        return message

    return counted


def address_of(scope: Scope) -> str:
    """The address of a client."""
    return str((scope.get("client") or ("",))[0])


def endpoint_of(path: str) -> str:
    """A path as a metric's label; unknown paths share one, so that the number of labels is bounded."""
    if path.startswith(f"{JOBS}/"):
        return f"{JOBS}/result" if path.endswith("/result") else f"{JOBS}/id"
    known = (STYLIZE, JOBS, "/v1/styles", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/")
    return path if path in known else ("/v1/other" if path.startswith("/v1/") else "other")
