"""An exported network without PyTorch: `python examples/onnx_runtime.py starry.onnx photo.jpg out.png`."""

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

LIMIT = 16_000_000  # pixels; the whole image goes through at once, at about 1 kB of memory a pixel for the full network

if len(sys.argv) != 4:
    sys.exit(__doc__)
MODEL, PHOTO, OUTPUT = sys.argv[1:]
try:
    session = onnxruntime.InferenceSession(MODEL)
    if "stylenet" not in session.get_modelmeta().custom_metadata_map:
        sys.exit(f"{MODEL} was not exported by stylenet")
    image = Image.open(PHOTO)
    if not 16 <= min(image.size) <= LIMIT / max(image.size):
        sys.exit(f"{PHOTO} has {image.width} x {image.height} pixels: at least 16 x 16, at most {LIMIT} in all")
    mode = "RGBA" if session.get_inputs()[0].shape[-1] == 4 else "RGB"
    photo = ImageOps.exif_transpose(image).convert(mode)
    (stylized,) = session.run(None, {"picture": np.asarray(photo)[None]})  # uint8, batch height width channels
    Image.fromarray(stylized[0]).save(OUTPUT)
except Exception as error:  # ONNX Runtime's own errors have no common base
    sys.exit(f"error: {str(error).splitlines()[0]}")
