"""A real-time loop: `python examples/realtime.py STYLE PICTURE...` prints the milliseconds that each frame takes.

Frames are NumPy arrays of bytes, h w 3; here they come from images, as they would from a camera.
"""

import sys
import time

import numpy as np

from stylenet import Stylizer
from stylenet.media.image import decode_image

HEIGHT, WIDTH = 240, 320
if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
    sys.exit(__doc__)
STYLE, *PICTURES = sys.argv[1:]
frames = (np.asarray(decode_image(path).resize((WIDTH, HEIGHT))) for path in PICTURES)

stylizer = Stylizer.load(STYLE)
stylizer.warmup(HEIGHT, WIDTH)  # the first image of a size takes longer
for number, frame in enumerate(frames):
    start = time.perf_counter()
    stylized = stylizer.stylize(frame)  # an array like the frame: show it, or send it on
    milliseconds = 1000 * (time.perf_counter() - start)
    print(f"frame {number}: {milliseconds:.1f} ms", flush=True)
