"""OpenAPI: what /docs and /openapi.json have beyond the routes themselves."""

from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

DESCRIPTION = """\
Stylizes images and video clips with small feed-forward networks, one per painting.

    curl -F image=@photo.jpg -F style=starry http://localhost:8000/v1/stylize -o styled.jpg
    curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg \\
      'http://localhost:8000/v1/stylize?style=starry&strength=0.8' -o styled.jpg

Every error is JSON, `{"detail": "one line"}`. With 429 and 503 comes `Retry-After`, in seconds.
"""
IMAGE = {"schema": {"type": "string", "format": "binary"}}
FORM = {
    "schema": {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF"},
            "mask": {
                "type": "string",
                "format": "binary",
                "description": "White: stylize; black: keep the photo; stretched to the image. At most 10 MB.",
            },
            "style": {"type": "string", "description": "All options can be fields of the form, too."},
        },
    }
}
BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": FORM, "image/*": IMAGE}},
}


def failure(description: str, example: str) -> dict[str, Any]:
    """An error's entry, with the answer as an example."""
    schema = {"type": "object", "properties": {"detail": {"type": "string"}}}
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": {"detail": example}}},
    }


UNAUTHORIZED: dict[int | str, dict[str, Any]] = {
    401: failure("No or a wrong API key", "an API key is needed: Authorization: Bearer KEY")
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    **UNAUTHORIZED,
    404: failure("Unknown style", "no style 'sunset'; styles: starry, wave"),
    408: failure("The body took too long to arrive", "the body took more than 30 seconds to arrive"),
    413: failure("Too many bytes or pixels", "the image has 20000 x 20000 pixels, more than the limit of 16,000,000"),
    415: failure("Not an image", "the image is not in a format that can be read"),
    422: failure("Unknown option, option out of range, damaged image", "strength: Input should be less than 1.5"),
    429: failure("The queue is full, or the client's rate is used up", "34 requests are running or waiting"),
    503: failure(
        "Starting or ending, the worker died, the disk is full", "the worker died while at work on this image"
    ),
}
STYLIZE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The stylized image",
        "content": {"image/jpeg": IMAGE, "image/png": IMAGE, "image/webp": IMAGE},
        "headers": {
            "X-Stylenet-Style": {"schema": {"type": "string"}, "description": "The network that was used"},
            "X-Stylenet-Fallback": {
                "schema": {"type": "string"},
                "description": "The requested style, if a smaller network was used",
            },
            "Server-Timing": {"schema": {"type": "string"}, "example": "network;dur=11.9, work;dur=17.0"},
        },
    },
    **REFUSALS,
    504: failure("Took too long; the work is dropped", "took more than 30 seconds"),
}
JOB = {
    "id": "Uk3zGqk0",
    "state": "done",
    "style": "starry",
    "created": 1764072000.0,
    "result": "/v1/jobs/Uk3zGqk0/result",
    "type": "image/jpeg",
    "bytes": 5_120_000,
    "width": 6000,
    "height": 4000,
    "seconds": 41.3,
    "notes": [],
    "expires": 1764075641.3,
}
JOB_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The job", "content": {"application/json": {"example": JOB}}},
    202: {
        "description": "The job is queued",
        "content": {"application/json": {"example": {key: JOB[key] for key in ("id", "style", "created")}}},
    },
    **REFUSALS,
    404: failure("No such job, or no such style", "no such job; results are kept for a limited time"),
}
RESULT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The result", "content": {"image/jpeg": IMAGE, "image/png": IMAGE, "video/mp4": IMAGE}},
    **UNAUTHORIZED,
    404: failure("No such job", "no such job; results are kept for a limited time"),
    409: failure("Not done yet", "the job is running"),
    504: failure("It took too long", "took more than 900 seconds"),
}
STYLE = {"name": "starry", "title": "The Starry Night", "artist": "Vincent van Gogh", "width": 32, "blocks": 5}
STYLES_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The styles", "content": {"application/json": {"example": [STYLE]}}},
    **UNAUTHORIZED,
}
STATE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Yes", "content": {"application/json": {"example": {"status": "ok"}}}},
    503: {"description": "No", "content": {"application/json": {"example": {"status": "starting or ending"}}}},
}
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}
POLICY = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


def add(app: FastAPI, keys: bool, style: str) -> None:
    """Adds /docs, whose scripts come from this service and not from another host. `style` is the example."""
    contents = files("fastapi_swagger.resources")
    plain = app.openapi

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        html = get_swagger_ui_html(
            openapi_url=str(app.openapi_url),
            title="stylenet",
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon-32x32.png",
        )
        html.headers["Content-Security-Policy"] = POLICY
        return html

    @app.get("/docs/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in ASSETS:
            return Response(status_code=404)
        return Response(contents.joinpath(name).read_bytes(), media_type=ASSETS[name])

    def finished() -> dict[str, Any]:
        schema = tidy_schema(plain(), style)
        if keys:
            schema["components"] = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
            schema["security"] = [{"key": []}]
        return schema

    app.openapi = finished  # type: ignore[method-assign]


def tidy_schema(schema: dict[str, Any], style: str) -> dict[str, Any]:
    """The schema without FastAPI's own error type, and without `null` for options that may be omitted."""
    schema.pop("components", None)
    for operation in (operation for path in schema["paths"].values() for operation in path.values()):
        answers = operation["responses"]
        if "HTTPValidationError" in str(answers.get("422")):
            del answers["422"]
        for option in operation.get("parameters", []):
            kinds = option["schema"].pop("anyOf", [])
            option["schema"] |= next((kind for kind in kinds if kind != {"type": "null"}), {})
        form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if form is not None:
            form["schema"]["properties"]["style"]["example"] = style
    return schema
