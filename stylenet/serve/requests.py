"""Bodies of requests: an image file, or a form with an image, a mask and options."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from stylenet.errors import UserError
from stylenet.serve.options import Options, merged

FIELDS = 32  # of a form
FILES = ("image", "mask")
CHUNK = 1 << 20


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
    form = await request.form(max_files=2, max_fields=FIELDS)
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
    return Body(checked(query, fields), request, image, None if mask is None else await mask.read())


def checked(query: Options, fields: dict[str, Any]) -> Options:
    """The options. Raises `HTTPException` if one is wrong or the style is missing."""
    try:
        options = merged(query, fields)
    except UserError as error:
        raise HTTPException(422, str(error)) from error
    if options.style is None:
        raise HTTPException(422, "style: is required, see /v1/styles")
    return options
