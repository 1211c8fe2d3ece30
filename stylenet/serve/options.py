"""Options of a request, the same as query parameters and as fields of a form."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stylenet.errors import UserError
from stylenet.inference.settings import STRENGTHS, STROKES, Brush
from stylenet.media.formats import WRITABLE
from stylenet.media.limits import MINIMUM_SIDE

FORMATS = tuple(suffix[1:] for suffix in WRITABLE)
LARGEST_SIDE = 65_535  # pixels, JPEG's limit


class Options(BaseModel):
    """How to stylize. Unknown options and values out of range are refused."""

    model_config = ConfigDict(extra="forbid")

    style: str | None = Field(
        None,
        description="Name of a style, see /v1/styles; in a URL, # is written %23.",
        examples=["starry"],
        max_length=255,
    )
    strength: float = Field(
        1.0,
        ge=STRENGTHS[0],
        le=STRENGTHS[1],
        allow_inf_nan=False,
        description="0 is the photo, 1 the full style, up to 1.5 exaggerates it.",
        examples=[0.8],
    )
    stroke: float = Field(
        1.0,
        ge=STROKES[0],
        le=STROKES[1],
        allow_inf_nan=False,
        description="Width of the strokes; 2 takes a quarter of the time, 0.5 four times as long, "
        "of an image of at most a quarter of the pixels.",
    )
    colors: Literal["style", "match", "keep"] = Field(
        "style", description="Colors of the style, fitted to the photo's palette, or the photo's own."
    )
    format: Literal[FORMATS] | None = Field(  # type: ignore[valid-type]
        None, description="Format of the result; by default the image's own, or PNG where that cannot be written."
    )
    quality: int | None = Field(None, ge=1, le=100, description="Quality of JPEG and WebP; default 92.")
    size: int | None = Field(
        None, ge=MINIMUM_SIDE, le=LARGEST_SIDE, description="Short side of the result in pixels; by default unchanged."
    )
    max_size: int | None = Field(
        None, ge=MINIMUM_SIDE, le=LARGEST_SIDE, description="Maximum long side of the result in pixels."
    )
    mask_invert: bool = Field(False, description="Stylize the mask's black areas instead of its white ones.")

    def brush(self) -> Brush:
        return Brush(self.strength, self.stroke, self.colors == "keep", self.colors == "match")


def merge_options(query: Options, fields: Mapping[str, str]) -> Options:
    """The options of the query with those of a form. Raises `UserError`, in one line."""
    try:
        return Options.model_validate({**query.model_dump(exclude_unset=True), **fields})
    except ValidationError as error:
        raise UserError(validation_line(error.errors())) from error


def validation_line(errors: Iterable[Any]) -> str:
    """Pydantic's errors in one line, as `strength: Input should be less than or equal to 1.5`."""
    return "; ".join(f"{str(error['loc'][-1])[:100]}: {error['msg']}" for error in errors)
