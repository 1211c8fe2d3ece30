"""An exported network without PyTorch: `python examples/onnx_runtime.py starry.onnx photo.jpg out.png`."""

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

LIMIT = 16_000_000  # pixels; the whole image goes through at once, at about 1 kB of memory a pixel for the full network

try:
    MODEL, PHOTO, OUTPUT = sys.argv[1:]
    photo = ImageOps.exif_transpose(Image.open(PHOTO)).convert("RGB")
    if photo.width * photo.height > LIMIT:
        sys.exit(f"{PHOTO} has more than {LIMIT} pixels")
    session = onnxruntime.InferenceSession(MODEL)
    if "stylenet" not in session.get_modelmeta().custom_metadata_map:
        sys.exit(f"{MODEL} was not exported by stylenet")
    (stylized,) = session.run(None, {"picture": np.asarray(photo)[None]})  # uint8, batch height width channels
    Image.fromarray(stylized[0]).save(OUTPUT)
except Exception as error:  # ONNX Runtime's own errors have no common base
    sys.exit(f"error: {str(error).splitlines()[0]}")
