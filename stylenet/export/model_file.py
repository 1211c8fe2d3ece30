"""Last steps on an exported ONNX model: smaller weights, the card inside, nothing of the machine that made it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylenet.version import __version__

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

CARD_KEY = "stylenet"
CONVOLUTION = 4  # dimensions of its weight


def finish(model: "ModelProto", shapes: Sequence[Sequence[str | int]], card: str | None = None) -> None:
    """Changes the model in place. `shapes` name the dimensions of its inputs; the output has those of the first."""
    import onnx

    remove_traces(model)
    store_weights_as_fp16(model.graph)
    for value, shape in zip((*model.graph.input, *model.graph.output), (*shapes, shapes[0]), strict=True):
        set_shape(value, shape)
    model.producer_name, model.producer_version = "stylenet", __version__
    if card is not None:
        onnx.helper.set_model_props(model, {CARD_KEY: card})
    onnx.checker.check_model(model, full_check=True)


def remove_traces(model: "ModelProto") -> None:
    """Removes what the exporter notes of the machine: stack traces with absolute paths, in every node and value."""
    graph = model.graph
    del model.functions[:]
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]  # shapes of what lies between, which runtimes infer
    graph.name = "stylenet"


def store_weights_as_fp16(graph: "GraphProto") -> None:
    """Stores convolution weights as fp16, each followed by a `Cast` to fp32 that runtimes compute once, at loading.

    Style files hold fp16, so this changes nothing for them. A weight beyond the range of fp16 stays as it is.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for initializer in graph.initializer:
        if len(initializer.dims) != CONVOLUTION or initializer.data_type != TensorProto.FLOAT:
            continue
        with np.errstate(over="ignore"):
            half = numpy_helper.to_array(initializer).astype(np.float16)
        if not np.isfinite(half).all():
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(half, f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [f"{name}.fp16"], [name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def set_shape(value: "ValueInfoProto", shape: Sequence[str | int]) -> None:
    """Names the dimensions, which the exporter writes as formulas."""
    dimensions = value.type.tensor_type.shape
    del dimensions.dim[:]
    for size in shape:
        dimensions.dim.add(**{"dim_param" if isinstance(size, str) else "dim_value": size})
