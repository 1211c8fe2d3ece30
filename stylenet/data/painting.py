"""The painting of a style: where its file is, and its pixels as the loss network sees them."""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from stylenet.disk import find_file, shipped_files
from stylenet.errors import UserError
from stylenet.media.image import decode_image, resized, to_tensor
from stylenet.media.limits import MINIMUM_SIDE, ImageError

STYLES = shipped_files() / "configs" / "style"


def find_painting(image: str) -> Path:
    """The file as typed: relative to the working directory, else among the shipped ones."""
    if path := find_file(image):
        return path
    raise UserError(f"style.image must be an image file, but there is none at {image}")


def read_painting(path: Path, size: int) -> Float[Tensor, "1 3 h w"]:
    """The painting with its short side scaled to `size` pixels, in [0, 1]."""
    return read_painting_at(path, [size])[0]


def read_painting_at(path: Path, sizes: Sequence[int]) -> list[Float[Tensor, "1 3 _h _w"]]:
    """The painting at each of some sizes, decoded once."""
    check_size(min(sizes))
    try:
        image = decode_image(path)
    except ImageError as error:
        raise UserError(f"style.image: {error}") from error
    return [to_tensor(resized(image, size)).unsqueeze(0) for size in sizes]


def check_size(size: int) -> None:
    """Raises `UserError` for a painting that would be too small for the loss network."""
    if size < MINIMUM_SIDE:
        raise UserError(f"style.size is the short side in pixels and must be at least {MINIMUM_SIDE}, got {size}")
