"""The painting of a style: where its file is, and its pixels as the loss network sees them."""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from stylenet.disk import shipped_files
from stylenet.errors import UserError
from stylenet.media.image import resize, to_tensor
from stylenet.media.limits import MINIMUM_SIDE, ImageError
from stylenet.media.painting import decode_painting

STYLES = shipped_files() / "configs" / "style"
SETTING = "style.image"


def read_painting(path: Path, size: int, setting: str = SETTING) -> Float[Tensor, "1 3 h w"]:
    """The painting with its short side scaled to `size` pixels, in [0, 1]. Raises `UserError`."""
    return read_painting_at(path, [size], setting)[0]


def read_painting_at(path: Path, sizes: Sequence[int], setting: str = SETTING) -> list[Float[Tensor, "1 3 _h _w"]]:
    """The painting at each of some sizes, decoded once. Raises `UserError`."""
    check_size(min(sizes))
    try:
        image = decode_painting(path)
    except ImageError as error:
        raise UserError(f"{setting}: {error}") from error
    return [to_tensor(resize(image, size)).unsqueeze(0) for size in sizes]


def check_size(size: int) -> None:
    """Raises `UserError` for a painting that would be too small for the loss network."""
    if size < MINIMUM_SIDE:
        raise UserError(f"style.size is the short side in pixels and must be at least {MINIMUM_SIDE}, got {size}")
