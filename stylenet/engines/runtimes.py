"""The engines' own calls: a graph in, a function from images to stylized ones out."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float

from stylenet.engines.settings import ONNX, OPENVINO

Run: TypeAlias = Callable[[Float[np.ndarray, "1 3 h w"]], Float[np.ndarray, "1 3 h w"]]


def onnx_runtime(graph: bytes, dtype: torch.dtype) -> Run:
    """ONNX Runtime on the CPU, which computes in fp32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.enable_mem_pattern = False  # which took a third to three quarters more memory, for no speed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # which takes other processes' time
    session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])

    def run(photos: Float[np.ndarray, "1 3 h w"]) -> Float[np.ndarray, "1 3 h w"]:
        result: np.ndarray = session.run(None, {"picture": photos})[0]
        return result

    return run


def openvino(graph: bytes, dtype: torch.dtype) -> Run:
    """OpenVINO on the CPU, in bf16 or fp32."""
    import openvino

    core = openvino.Core()
    precision = {"INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32"}
    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    model = core.compile_model(core.read_model(graph), "CPU", precision | threads)

    def run(photos: Float[np.ndarray, "1 3 h w"]) -> Float[np.ndarray, "1 3 h w"]:
        # A request each time, as one serves a single thread, and as nothing of one image is left for the next.
        result: np.ndarray = model.create_infer_request().infer([photos])[0]
        if result.shape != photos.shape:  # where memory is short OpenVINO raises nothing
            raise MemoryError
        return result

    return run


RUNTIMES: dict[str, Callable[[bytes, torch.dtype], Run]] = {ONNX: onnx_runtime, OPENVINO: openvino}
