"""The engines by the names that command lines use, and whether they are installed. Imports nothing large."""

from importlib.util import find_spec

from stylenet.errors import UserError

TORCH, ONNX, OPENVINO = ENGINES = ("torch", "onnx", "openvino")
EXPORT = ("onnx", "onnxscript")
PACKAGES = {TORCH: (), ONNX: ("onnxruntime", *EXPORT), OPENVINO: ("openvino", *EXPORT)}


def check_engine(engine: str) -> None:
    """Raises `UserError` for an unknown name, and, naming the extra, for an engine that is not installed."""
    if engine not in ENGINES:
        raise UserError(f"an engine is one of {', '.join(ENGINES)}, got {engine}")
    missing = [package for package in PACKAGES[engine] if find_spec(package) is None]
    if missing:
        raise UserError(f"the engine {engine} needs {missing[0]}: pip install 'stylenet[{engine}]'")
