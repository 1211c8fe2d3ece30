"""/v1/jobs: large images and clips, whose results are fetched later."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

from stylenet.errors import UserError
from stylenet.serve import documentation
from stylenet.serve.admission import JOBS
from stylenet.serve.clips import check_options, is_clip
from stylenet.serve.jobs import Job, NoRoomError, TooLargeError
from stylenet.serve.options import Options
from stylenet.serve.pool import PoolClosed
from stylenet.serve.refusal import ENDING, no_room, not_stored
from stylenet.serve.requests import body_of, known_style, work_for
from stylenet.serve.service import Service
from stylenet.serve.settings import ServiceSettings


def add(app: FastAPI, service: Service) -> None:
    """Adds the routes."""

    @app.post(
        JOBS,
        tags=["jobs"],
        summary="Queue a large image or a video clip",
        status_code=HTTPStatus.ACCEPTED,
        responses=documentation.JOB_RESPONSES,
        openapi_extra=documentation.BODY,
    )
    async def create(request: Request, query: Annotated[Options, Query()]) -> Response:
        """Takes an image or a clip (MP4, MOV, Matroska, WebM, AVI; answered as MP4), with the options of
        /v1/stylize; mask, format and quality are for images only. Answers at once with the job; its `result` can be
        fetched once its `state` is `done`."""
        job = await queue_job(service, request, query)
        return JSONResponse(describe_job(job, service.settings), HTTPStatus.ACCEPTED, {"Location": f"{JOBS}/{job.id}"})

    @app.head(f"{JOBS}/{{id}}", include_in_schema=False)
    @app.get(f"{JOBS}/{{id}}", tags=["jobs"], summary="The state of a job", responses=documentation.JOB_RESPONSES)
    async def state(id: str) -> Response:  # noqa: A002, the parameter's name in the path
        """States are `queued`, `running`, `done` and `failed`; a failed job has an `error`."""
        return JSONResponse(describe_job(found(service, id), service.settings))

    @app.head(f"{JOBS}/{{id}}/result", include_in_schema=False)
    @app.get(
        f"{JOBS}/{{id}}/result",
        tags=["jobs"],
        summary="The result of a job",
        response_class=Response,
        responses=documentation.RESULT_RESPONSES,
    )
    async def result(id: str) -> Response:  # noqa: A002
        """The stylized image or clip; 409 while the job is not done, and the status of its failure after one."""
        job = found(service, id)
        if job.done is None:
            retry = {"Retry-After": "1"} if job.reply is None else None
            raise HTTPException(job.status, job.error or f"the job is {job.state}", retry)
        return FileResponse(job.result, media_type=job.done.media_type, headers={"X-Content-Type-Options": "nosniff"})

    @app.delete(f"{JOBS}/{{id}}", tags=["jobs"], summary="Delete a job", status_code=HTTPStatus.NO_CONTENT)
    async def delete(id: str) -> Response:  # noqa: A002
        """Deletes the result, or drops a job that still waits; 409 for one that is running."""
        job = found(service, id)
        if job.state == "running":
            raise HTTPException(HTTPStatus.CONFLICT, "the job is running")
        service.jobs.remove(job.id)
        return Response(status_code=HTTPStatus.NO_CONTENT)


async def queue_job(service: Service, request: Request, query: Options) -> Job:
    """A job from a request. Raises `HTTPException`, and leaves nothing on the disk then."""
    job = open_job(service, request)
    try:
        await receive_body(service, job, request, query)
    except BaseException as error:
        service.jobs.remove(job.id)
        refusal = refusal_of(error, service.settings.job.bytes)
        if refusal is None:
            raise
        raise refusal from None
    finally:
        await request.close()  # a form's files
    return job


def open_job(service: Service, request: Request) -> Job:
    """A job with room for the body, before any of it is read: a form goes to the disk while it is read."""
    length = request.headers.get("content-length", "")
    try:
        return service.jobs.open(int(length) if length.isdigit() else service.settings.job.bytes)
    except (NoRoomError, OSError):
        raise no_room("no room for another job now").error from None


async def receive_body(service: Service, job: Job, request: Request, query: Options) -> None:
    """Reads the body and queues the job."""
    body = await body_of(request, query)
    job.style = known_style(service, body.options)
    await service.jobs.receive(job, body.chunks())
    if is_clip(job.upload):
        check_options(body.options, body.mask)
    service.jobs.start(job, work_for(body, job.style, b"", service.settings.job, float("inf")))


def refusal_of(error: BaseException, most: int) -> HTTPException | None:
    """The answer to a job that could not be queued; None if the error is an answer itself, or a bug."""
    if isinstance(error, OSError):
        return not_stored(error).error
    if isinstance(error, PoolClosed):
        return ENDING.error
    if isinstance(error, UserError):
        return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    if isinstance(error, TooLargeError):
        line = f"the image has more bytes than the limit of {most:,}"
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, line)
    return None


def found(service: Service, id_: str) -> Job:
    """The job. Raises `HTTPException` if it is unknown or expired."""
    job = service.jobs.find(id_)
    if job is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such job; results are kept for a limited time")
    return job


def describe_job(job: Job, settings: ServiceSettings) -> dict[str, Any]:
    """A job as JSON."""
    facts: dict[str, Any] = {"id": job.id, "state": job.state, "style": job.style, "created": round(job.created, 3)}
    if job.done is not None:
        done = job.done
        facts |= {"result": f"{JOBS}/{job.id}/result", "type": done.media_type, "bytes": job.bytes}
        facts |= {"width": done.width, "height": done.height, "seconds": round(done.seconds, 3), "notes": done.notes}
    if job.error is not None:
        facts["error"] = job.error
    if job.finished is not None:
        facts["expires"] = round(job.finished + settings.results_seconds, 3)
    return facts
