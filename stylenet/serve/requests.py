"""Requests: their bodies, an image file or a form with an image, a mask and options; the work that they ask for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from stylenet.errors import UserError
from stylenet.media.picture import Size
from stylenet.serve.options import Options, merge_options
from stylenet.serve.refusal import not_stored
from stylenet.serve.service import Service
from stylenet.serve.settings import Limits
from stylenet.serve.work import Work

UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY
FIELDS = 32  # of a form
FILES = ("image", "mask")
CHUNK = 1 << 20
MASK_BYTES = 10_000_000  # held in the front process, unlike a job's image


@dataclass(frozen=True)
class Body:
    """The content of a request: options, an image (a form's file, or the whole body), and a mask."""

    options: Options
    request: Request
    image: UploadFile | None = None
    mask: bytes | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The image's bytes. Raises `HTTPException` if there are none."""
        empty = True
        async for chunk in self.request.stream() if self.image is None else chunks_of(self.image):
            empty = empty and not chunk
            yield chunk
        if empty:
            raise HTTPException(UNPROCESSABLE, "image: is empty")

    async def data(self) -> bytes:
        """All of the image's bytes. Raises `HTTPException` if there are none."""
        return b"".join([chunk async for chunk in self.chunks()])


async def chunks_of(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk


async def body_of(request: Request, query: Options) -> Body:
    """The body, with a form's fields among the options. Raises `HTTPException` for a form that cannot be read."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return Body(check_options(query, {}), request)
    form = await form_of(request)
    files: dict[str, UploadFile] = {}
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in FILES and not (value.filename if isinstance(value, UploadFile) else value):
            continue  # what a browser sends where no file was chosen
        found = files if isinstance(value, UploadFile) else fields
        if name in found:
            raise HTTPException(UNPROCESSABLE, f"{name[:100]}: given twice")
        found[name] = value  # type: ignore[assignment]
    image, mask = files.pop("image", None), files.pop("mask", None)
    if files:
        raise HTTPException(UNPROCESSABLE, f"{next(iter(files))[:100]}: no such file, only image and mask")
    if image is None:
        raise HTTPException(UNPROCESSABLE, "image: the form must have this file")
    return Body(check_options(query, fields), request, image, await read_mask(mask))


async def form_of(request: Request) -> FormData:
    """The form, files above 1 MB on the disk. Raises `HTTPException`, 503 where the disk has no room for them."""
    try:
        return await request.form(max_files=len(FILES), max_fields=FIELDS)
    except OSError as error:
        raise not_stored(error).error from error


async def read_mask(mask: UploadFile | None) -> bytes | None:
    """The mask's bytes. Raises `HTTPException` 413 for too many."""
    if mask is None:
        return None
    if (mask.size or 0) > MASK_BYTES:
        line = f"the mask has {mask.size:,} bytes, more than the limit of {MASK_BYTES:,}"
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, line)
    return await mask.read()


def check_options(query: Options, fields: dict[str, Any]) -> Options:
    """The options. Raises `HTTPException` if one is wrong or the style is missing."""
    try:
        options = merge_options(query, fields)
    except UserError as error:
        raise HTTPException(UNPROCESSABLE, str(error)) from error
    if options.style is None:
        raise HTTPException(UNPROCESSABLE, "style: is required, see /v1/styles")
    return options


def known_style(service: Service, options: Options) -> str:
    """The requested style. Raises `HTTPException` for one that is not served; no file is searched for."""
    style = str(options.style)
    if style not in service.files:
        cut = any(name.startswith(f"{style}#") for name in service.files)
        hint = "; in a URL, # is written %23" * cut
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no style {style[:100]!r}; styles: {', '.join(service.files)}{hint}")
    return style


def work_for(body: Body, style: str, data: bytes, limits: Limits, start: float) -> Work:
    """The message to the worker."""
    options = body.options
    return Work(
        style=style,
        data=data,
        size=Size(options.size, options.max_size, limits.pixels),
        pixels=limits.pixels,
        seconds=limits.seconds,
        deadline=start + limits.seconds,
        brush=options.brush(),
        mask=body.mask,
        mask_invert=options.mask_invert,
        format=f".{options.format}" if options.format else None,
        quality=options.quality,
    )
