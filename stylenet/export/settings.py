"""Options of an export. Imports nothing large."""

SUFFIX = ".onnx"
CHANNELS = (3, 4)  # RGB, or RGBA whose alpha passes through
