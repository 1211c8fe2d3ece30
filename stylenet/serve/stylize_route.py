"""POST /v1/stylize: an image in, the stylized image out."""

import asyncio
import logging
import string
import time
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Response
from starlette.exceptions import HTTPException

from stylenet.serve import documentation
from stylenet.serve.admission import STYLIZE
from stylenet.serve.options import Options
from stylenet.serve.pool import PoolClosed
from stylenet.serve.process import TooLate, WorkerDied
from stylenet.serve.refusal import DISCONNECTED, ENDING, Refusal, no_room
from stylenet.serve.requests import body_of, known_style, work_for
from stylenet.serve.service import Service
from stylenet.serve.work import Done, Failed, Refused, Reply, Work

log = logging.getLogger(__name__)

HEADER_SAFE = string.punctuation.replace("%", "")  # what a header can hold as it is; a name has any characters


def add(app: FastAPI, service: Service) -> None:
    """Adds the route."""

    @app.post(
        STYLIZE,
        tags=["stylize"],
        summary="Stylize an image",
        response_class=Response,
        responses=documentation.STYLIZE_RESPONSES,
        openapi_extra=documentation.BODY,
    )
    async def stylize(request: Request, query: Annotated[Options, Query()]) -> Response:
        """Answers with the stylized image. The body is the image itself, or a form with `image` and optionally
        `mask`; options are query parameters or fields of the form. `Server-Timing` has the milliseconds of the work
        and of the network, `X-Stylenet-Style` the network that was used."""
        start = time.monotonic()
        body = await body_of(request, query)
        wanted = known_style(service, body.options)
        style = under_load(service, wanted)
        data = await body.data()
        work = work_for(body, style, data, service.settings.image, start)
        gone = asyncio.create_task(disconnected(request))
        try:
            reply = await await_reply(service, work, gone)
        finally:
            gone.cancel()
        return image(service, reply, style, wanted)


def under_load(service: Service, style: str) -> str:
    """The style itself, or its tiny network under load. Raises `HTTPException` where there is none."""
    if service.settings.fallback is None or not service.load.high or style.endswith("-tiny"):
        return style
    tiny = service.fallback(style)
    if tiny is None:
        raise Refusal.later(f"the queue is half full, and {style} has no smaller network", service.load.wait).error
    service.metrics.fallbacks.inc()
    return tiny


async def disconnected(request: Request) -> None:
    """Returns when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def await_reply(service: Service, work: Work, gone: "asyncio.Task[None]") -> Reply:
    """The worker's reply. Raises `HTTPException`; drops the work at its deadline or when the client disconnects."""
    try:
        promise = service.pool.submit(work)
    except PoolClosed:
        raise ENDING.error from None
    result = asyncio.wrap_future(promise)
    both: set[asyncio.Future[Any]] = {result, gone}
    try:
        await asyncio.wait(both, timeout=work.deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        late = not result.done()
        promise.cancel()  # unless a worker is at work on it, and is stopped at the deadline
        result.cancel()
    if late:
        raise HTTPException(
            DISCONNECTED if gone.done() else HTTPStatus.GATEWAY_TIMEOUT, f"took more than {work.seconds:g} seconds"
        )
    try:
        return result.result()
    except TooLate:
        raise HTTPException(HTTPStatus.GATEWAY_TIMEOUT, f"took more than {work.seconds:g} seconds") from None
    except WorkerDied:
        message = "the worker died while at work on this image"
        raise Refusal.later(message, 1.0, HTTPStatus.SERVICE_UNAVAILABLE).error from None
    except PoolClosed:
        raise ENDING.error from None


def image(service: Service, reply: Reply, style: str, wanted: str) -> Response:
    """The HTTP answer to a worker's reply. Raises `HTTPException`."""
    if isinstance(reply, Failed):
        log.error("%s in a worker: %s", reply.message, reply.traceback)
        full = reply.status == HTTPStatus.SERVICE_UNAVAILABLE
        raise no_room(reply.message).error if full else HTTPException(reply.status, reply.message)
    if isinstance(reply, Refused):
        raise HTTPException(reply.status, reply.message)
    service.load.took(reply.seconds)
    service.metrics.stylized(style, reply)
    return Response(reply.data, media_type=reply.media_type, headers=headers(reply, style, wanted))


def headers(done: Done, style: str, wanted: str) -> dict[str, str]:
    """The headers: times, the network that was used, notes."""
    found = {
        "Server-Timing": f"network;dur={1000 * done.network_seconds:.1f}, work;dur={1000 * done.seconds:.1f}",
        "X-Stylenet-Style": quote(style, HEADER_SAFE),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    if style != wanted:
        found["X-Stylenet-Fallback"] = f"{quote(wanted, HEADER_SAFE)} under load"
    if done.notes:
        found["X-Stylenet-Notes"] = "; ".join(done.notes).encode("ascii", "replace").decode()
    return found
