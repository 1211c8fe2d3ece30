"""A painting without training: a stylizer whose norm parameters are predicted from the painting.

A preview: it takes over colors and coarse texture. Training on the painting gives its strokes.
"""

import os
from typing import Literal

import torch

from stylenet.engines.settings import TORCH
from stylenet.errors import UserError
from stylenet.inference.stylizer import Stylizer
from stylenet.media.image import resize, to_tensor
from stylenet.media.painting import decode_painting
from stylenet.models.catalog import GALLERY, find_style
from stylenet.models.conditional import ConditionalNet
from stylenet.models.predictor import SIDE
from stylenet.models.style_file import Card, read_style


def preview(
    painting: str | os.PathLike[str],
    device: str = "auto",
    compile: bool | Literal["auto"] = False,  # noqa: A002, as torch names it
    gallery: str | os.PathLike[str] = GALLERY,
    engine: str = TORCH,
) -> Stylizer:
    """A stylizer for a painting's file by a many-style network with a predictor. Nothing is trained or fetched.

    Raises `UserError` when there is no such network, and `ImageError` when the painting is not an image.
    """
    image = resize(decode_painting(painting), SIDE)
    network, card = read_style(find_style(gallery))
    if not isinstance(network, ConditionalNet) or network.predictor is None:
        raise UserError(f"{card.name} cannot predict styles: it is not a network of many styles with a predictor")
    with torch.inference_mode():
        parameters = network.predicted(to_tensor(image)[None])[0]
    single = network.folded(parameters.clone())
    return Stylizer(
        single, Card("preview", single.settings, {"predicted_by": card.name}), device, compile=compile, engine=engine
    )
