"""Frames upright: a phone writes them as its sensor lies, with a matrix that says how to hold them."""

from typing import Any

import numpy as np
from av import VideoFrame
from jaxtyping import UInt8

Turn = tuple[int, int, int, int]

SIGNS = (-1, 1)
UPRIGHT: Turn = (1, 0, 0, 1)
TURNS = {(a, 0, 0, d) for a in SIGNS for d in SIGNS} | {(0, b, c, 0) for b in SIGNS for c in SIGNS}


def turn(frame: VideoFrame) -> Turn:
    """The signs of a, b, c and d, by which a pixel at (x, y) is shown at (a x + c y, b x + d y).

    A slanted matrix, which no camera writes, counts as none.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")  # which PyAV's types do not know
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(data, np.int32).tolist()
    signs = int(np.sign(a)), int(np.sign(b)), int(np.sign(c)), int(np.sign(d))
    return signs if signs in TURNS else UPRIGHT


def upright(pixels: UInt8[np.ndarray, "h w c"], turn: Turn) -> UInt8[np.ndarray, "p q c"]:
    """Turned by quarters and mirrored; a view, which copies nothing."""
    a, b, c, d = turn
    across, down = a or c, b or d
    turned = pixels if a else pixels.transpose(1, 0, 2)
    return turned[::down, ::across]
