"""The service's HTTP interface as an ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from stylenet.serve import documentation, job_routes, page, state_routes, stylize_route
from stylenet.serve.admission import Gate
from stylenet.serve.options import validation_line
from stylenet.serve.refusal import DISCONNECTED
from stylenet.serve.service import Service, build, run_service
from stylenet.serve.settings import ServiceSettings
from stylenet.version import __version__


def create_app(settings: ServiceSettings) -> FastAPI:
    """The app of a service; its workers run while its lifespan does. Raises `UserError` for a style that is missing."""
    service = build(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run_service(service):
            yield

    app = FastAPI(
        title="stylenet",
        version=__version__,
        summary="Fast style transfer over HTTP",
        description=documentation.DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    add_errors(app)
    stylize_route.add(app, service)
    job_routes.add(app, service)
    state_routes.add(app, service)
    documentation.add(app, bool(settings.api_keys), next(iter(service.files)))
    page.add(app, list(service.files))
    add_limits(app, service)
    return app


def add_limits(app: FastAPI, service: Service) -> None:
    """Adds the middleware that checks limits before anything else."""
    app.add_middleware(
        Gate,
        settings=service.settings,
        pool=service.pool,
        jobs=service.jobs,
        load=service.load,
        metrics=service.metrics,
    )


def add_errors(app: FastAPI) -> None:
    """Makes every error a JSON object with one line, `detail`."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"detail": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"detail": validation_line(error.errors())}, HTTPStatus.UNPROCESSABLE_ENTITY)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=DISCONNECTED)
