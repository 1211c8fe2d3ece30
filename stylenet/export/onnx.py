"""Export to ONNX: one file for any height, width and batch, for ONNX Runtime, OpenVINO and browsers."""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from stylenet.disk import written_aside
from stylenet.errors import UserError
from stylenet.export.model_file import finish
from stylenet.export.picture_graph import PictureGraph, exportable
from stylenet.export.settings import CHANNELS
from stylenet.models.style_file import Card

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
EXAMPLE_BATCH, EXAMPLE_SIDE = 2, 64  # an example batch of 1 would fix the batch at 1


def export_onnx(network: nn.Module, card: Card, path: Path, channels: int = 3) -> None:
    """Writes `network` as an ONNX file that maps `uint8` images `b h w c` to stylized ones of the same shape.

    With 3 channels (RGB), or 4 (RGBA; alpha passes through). Height and width are at least the network's minimum side.
    Convolution weights are stored as fp16, and computed with as fp32. The card is in the file's metadata under
    `stylenet`, as JSON. Raises `UserError` when the packages of the extra `onnx` are missing.
    """
    model = onnx_model(network, card, channels)
    with written_aside(path) as aside:
        aside.write_bytes(model.SerializeToString())


def onnx_model(network: nn.Module, card: Card, channels: int = 3) -> "ModelProto":
    """The same as an `onnx.ModelProto` in memory."""
    if channels not in CHANNELS:
        raise UserError(f"an image has 3 channels (RGB) or 4 (RGBA), got {channels}")
    example = torch.zeros(EXAMPLE_BATCH, EXAMPLE_SIDE, EXAMPLE_SIDE, channels, dtype=torch.uint8)
    shape = ("batch", "height", "width", channels)
    model = _exported(PictureGraph(network), example, shape, minimum_side(network))
    finish(model, shape, card.to_json())
    return model


def float_model(network: nn.Module) -> "ModelProto":
    """The network as it is, from RGB `b 3 h w` in [0, 1] to the same, for programs that have such tensors.

    Raises `UserError` as `export_onnx` does.
    """
    example = torch.zeros(EXAMPLE_BATCH, 3, EXAMPLE_SIDE, EXAMPLE_SIDE)
    shape = ("batch", 3, "height", "width")
    model = _exported(exportable(network), example, shape, minimum_side(network))
    finish(model, shape)
    return model


def minimum_side(network: nn.Module) -> int:
    return int(getattr(network, "minimum_side", 16))


def _exported(graph: nn.Module, example: torch.Tensor, shape: Sequence[str | int], least: int) -> "ModelProto":
    """The graph for all sizes that `shape` names; sides are at least `least`, a batch at least 1."""
    require_packages()
    sizes = {
        axis: torch.export.Dim(name, min=1 if name == "batch" else least)
        for axis, name in enumerate(shape)
        if isinstance(name, str)
    }
    with quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            input_names=["picture"],
            output_names=["stylized"],
            opset_version=OPSET,
            dynamic_shapes=(sizes,),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # noqa: S101, as dynamo=True gives a program
    model: ModelProto = program.model_proto
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the exporter's progress messages and warnings, which say nothing that a user could act on."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def require_packages() -> None:
    """Raises `UserError`, naming the extra, when a package that the export needs is missing."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"the ONNX export needs {error.name}: pip install 'stylenet[onnx]'") from error
