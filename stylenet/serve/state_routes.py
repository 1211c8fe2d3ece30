"""Routes for styles, health and metrics."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from stylenet.serve import documentation
from stylenet.serve.metrics import CONTENT_TYPE
from stylenet.serve.service import Service

HEALTHY = 10.0  # seconds within which a worker must have finished something, or answered


def add(app: FastAPI, service: Service) -> None:
    """Adds the routes."""

    @app.head("/v1/styles", include_in_schema=False)
    @app.get("/v1/styles", tags=["stylize"], summary="The styles", responses=documentation.STYLES_RESPONSES)
    async def styles() -> list[dict[str, Any]]:
        """Names for `style`, with the painting and the size of the network."""
        return service.facts

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["state"], summary="Is a worker alive?", responses=documentation.STATE_RESPONSES)
    async def health() -> Response:
        """200 if a worker finished something or answered within the last 10 seconds, or is at work within its time."""
        silence = service.pool.silence()
        facts = {"status": "ok" if silence < HEALTHY else "no worker answers", "silence": round(silence, 3)}
        return JSONResponse(facts, HTTPStatus.OK if silence < HEALTHY else HTTPStatus.SERVICE_UNAVAILABLE)

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", tags=["state"], summary="Can it take requests?", responses=documentation.STATE_RESPONSES)
    async def ready() -> Response:
        """200 once a worker has loaded its styles, until the service is ending."""
        good = service.pool.ready
        return JSONResponse(
            {"status": "ok" if good else "starting or ending"},
            HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    @app.head("/metrics", include_in_schema=False)
    @app.get("/metrics", tags=["state"], summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        """In Prometheus' text format."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)
