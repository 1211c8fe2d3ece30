"""Bodies of requests: an image file, or a form with an image, a mask and options."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from stylenet.errors import UserError
from stylenet.serve.options import Options, merged

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
        """The image's bytes."""
        if self.image is None:
            async for chunk in self.request.stream():
                yield chunk
            return
        while chunk := await self.image.read(CHUNK):
            yield chunk

    async def data(self) -> bytes:
        """All of the image's bytes. Raises `HTTPException` if there are none."""
        data = b"".join([chunk async for chunk in self.chunks()])
        if not data:
            raise HTTPException(422, "image: is empty")
        return data


async def body_of(request: Request, query: Options) -> Body:
    """The body, with a form's fields among the options. Raises `HTTPException` for a form that cannot be read."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return Body(checked(query, {}), request)
    form = await form_of(request)
    files: dict[str, UploadFile] = {}
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in FILES and not (value.filename if isinstance(value, UploadFile) else value):
            continue  # what a browser sends where no file was chosen
        found = files if isinstance(value, UploadFile) else fields
        if name in found:
            raise HTTPException(422, f"{name[:100]}: given twice")
        found[name] = value  # type: ignore[assignment]
    image, mask = files.pop("image", None), files.pop("mask", None)
    if files:
        raise HTTPException(422, f"{next(iter(files))[:100]}: no such file, only image and mask")
    if image is None:
        raise HTTPException(422, "image: the form must have this file")
    return Body(checked(query, fields), request, image, await read_mask(mask))


async def form_of(request: Request) -> FormData:
    """The form, files above 1 MB on the disk. Raises `HTTPException`, 503 where the disk has no room for them."""
    try:
        return await request.form(max_files=len(FILES), max_fields=FIELDS)
    except OSError as error:
        line = f"the upload cannot be stored: {error.strerror}"
        raise HTTPException(503, line, {"Retry-After": "60"}) from error


async def read_mask(mask: UploadFile | None) -> bytes | None:
    """The mask's bytes. Raises `HTTPException` 413 for too many."""
    if mask is None:
        return None
    if (mask.size or 0) > MASK_BYTES:
        raise HTTPException(413, f"the mask has {mask.size:,} bytes, more than the limit of {MASK_BYTES:,}")
    return await mask.read()


def checked(query: Options, fields: dict[str, Any]) -> Options:
    """The options. Raises `HTTPException` if one is wrong or the style is missing."""
    try:
        options = merged(query, fields)
    except UserError as error:
        raise HTTPException(422, str(error)) from error
    if options.style is None:
        raise HTTPException(422, "style: is required, see /v1/styles")
    return options
