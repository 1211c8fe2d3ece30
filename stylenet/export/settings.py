"""Options of an export. Imports nothing large."""

ONNX = "onnx"
FORMATS = {ONNX: ".onnx", "executorch": ".pte"}  # with the suffix of each
CHANNELS = (3, 4)  # RGB, or RGBA whose alpha passes through
