"""Export to ExecuTorch, PyTorch's runtime for phones: one file for one size, for XNNPACK, which computes on the CPU."""

import os
from pathlib import Path

import torch
from torch import nn

from stylenet.disk import atomic_write, check_writable
from stylenet.errors import UserError
from stylenet.export.onnx import quiet
from stylenet.export.picture_graph import exportable

SIDE = 256  # pixels; ExecuTorch plans the memory for one size


def export_executorch(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Writes the network of one style as a .pte file that maps RGB `1 3 256 256` in [0, 1], in fp32, to the same.

    Raises `UserError` when the package of the extra `executorch` is missing, and for a place that cannot be written,
    before any work is done.
    """
    path = Path(path)
    check_writable(path)
    data = executorch_program(network)
    with atomic_write(path) as aside:
        aside.write_bytes(data)


def executorch_program(network: nn.Module) -> bytes:
    with quiet():
        try:
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower
        except ImportError as error:
            raise UserError("the ExecuTorch export needs executorch: pip install 'stylenet[executorch]'") from error
        program = torch.export.export(exportable(network), (torch.zeros(1, 3, SIDE, SIDE),))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        data: bytes = lowered.to_executorch().buffer
    return data
