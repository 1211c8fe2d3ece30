"""Export to ONNX: one file for any height, width and batch, for ONNX Runtime, OpenVINO and browsers."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import nn

from stylenet.disk import atomic_write, check_writable
from stylenet.errors import UserError
from stylenet.export.model_file import finish
from stylenet.export.picture_graph import PictureGraph, exportable
from stylenet.export.settings import CHANNELS
from stylenet.models.conditional import ConditionalNet
from stylenet.models.style_file import Card

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
EXAMPLE = {"batch": 2, "height": 64, "width": 64}  # a batch of 1 would fix the batch at 1
# Names of loggers whose children the exporters log by.
EXPORTERS = ("torch.onnx", "torch.export", "torch._export", "onnxscript", "onnx_ir", "executorch")
_ONE_EXPORT = threading.Lock()

Shape: TypeAlias = tuple[str | int, ...]  # with a name for a dimension of any size
Inputs: TypeAlias = dict[str, tuple[Shape, torch.dtype]]  # by their names


def export_onnx(network: nn.Module, card: Card, path: str | os.PathLike[str], channels: int = 3) -> None:
    """Writes `network` as an ONNX file that maps `uint8` images `b h w c` to stylized ones of the same shape.

    With 3 channels (RGB), or 4 (RGBA; alpha passes through). Height and width are at least the network's minimum side.
    A network of many styles has a second input, `weights`: for each image the weights `b styles` of a blend, which are
    divided by their sum. Convolution weights are stored as fp16, and computed with as fp32. The card is in the file's
    metadata under `stylenet`, as JSON. Raises `UserError` when the packages of the extra `onnx` are missing, or for a
    place that cannot be written, before any work is done.
    """
    path = Path(path)
    check_writable(path)
    model = onnx_model(network, card, channels)
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def onnx_model(network: nn.Module, card: Card, channels: int = 3) -> "ModelProto":
    """The same as an `onnx.ModelProto` in memory."""
    if channels not in CHANNELS:
        raise UserError(f"an image has 3 channels (RGB) or 4 (RGBA), got {channels}")
    inputs: Inputs = {"picture": (("batch", "height", "width", channels), torch.uint8)}
    if isinstance(network, ConditionalNet):
        inputs["weights"] = (("batch", network.settings.styles), torch.float32)
    model = _exported(PictureGraph(network), inputs, minimum_side(network))
    finish(model, [shape for shape, _ in inputs.values()], card.to_json())
    return model


def float_model(network: nn.Module) -> "ModelProto":
    """The network as it is, from RGB `b 3 h w` in [0, 1] to the same, for programs that have such tensors.

    Raises `UserError` as `export_onnx` does.
    """
    shape = ("batch", 3, "height", "width")
    model = _exported(exportable(network), {"picture": (shape, torch.float32)}, minimum_side(network))
    finish(model, [shape])
    return model


def minimum_side(network: nn.Module) -> int:
    return int(getattr(network, "minimum_side", 16))


def _exported(graph: nn.Module, inputs: Inputs, least: int) -> "ModelProto":
    """The graph for all sizes that are named; sides are at least `least`, a batch at least 1."""
    require_packages()
    lows = {"batch": 1, "height": least, "width": least}
    sizes = {name: torch.export.Dim(name, min=low) for name, low in lows.items()}
    shapes = [
        {axis: sizes[name] for axis, name in enumerate(shape) if isinstance(name, str)} for shape, _ in inputs.values()
    ]
    examples = [
        torch.ones([EXAMPLE[size] if isinstance(size, str) else size for size in shape], dtype=dtype)
        for shape, dtype in inputs.values()
    ]
    with quiet():
        program = torch.onnx.export(
            graph,
            tuple(examples),
            input_names=list(inputs),
            output_names=["stylized"],
            opset_version=OPSET,
            dynamic_shapes=tuple(shapes),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # noqa: S101, as dynamo=True gives a program
    model: ModelProto = program.model_proto
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the exporters' own messages, which say nothing that a user could act on; one export at a time.

    Their loggers alone: other threads print and log meanwhile. torch.export changes state of the whole process, as do
    filters of warnings, so that threads wait for each other.
    """
    with _ONE_EXPORT, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        levels = [(logger, logger.level) for logger in map(logging.getLogger, EXPORTERS)]
        try:
            for logger, level in levels:
                logger.setLevel(max(level, logging.ERROR))
            yield
        finally:
            for logger, level in levels:
                logger.setLevel(level)


def require_packages() -> None:
    """Raises `UserError`, naming the extra, when a package that the export needs is missing."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"the ONNX export needs {error.name}: pip install 'stylenet[onnx]'") from error
