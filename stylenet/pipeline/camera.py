"""Live video: a camera's frames, stylized into a window or a v4l2 device that other programs use as a camera."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import VideoFrame
from jaxtyping import UInt8

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.inference.styler import Styler
from stylenet.inference.temporal import steady_stylizing
from stylenet.media.video.files import one_line_errors
from stylenet.prefetch import Stopwatch, ahead

TITLE = "stylenet, q ends"
Show = Callable[[UInt8[np.ndarray, "h w 3"]], bool]  # whether to go on


def stylize_camera(styler: Styler, number: int, smoothing: float, output: str | None) -> Stopwatch:
    """Stylizes until q or Ctrl-C. Raises `UserError` when there is no such camera, or nothing to show it on."""
    if output is not None and not Path(output).is_char_device():
        raise UserError(f"a camera's frames go to a window or a v4l2 device, /dev/videoN, got {printable(output)}")
    device = Path(f"/dev/video{number}")
    if not device.exists():
        there = ", ".join(sorted(path.name[5:] for path in Path("/dev").glob("video[0-9]*"))) or "none"
        raise UserError(f"there is no camera {number}; cameras here (v4l2, {device.parent}/video*): {there}")
    with window() if output is None else loopback(output) as show:
        return stylize_live(styler, frames(str(device), "v4l2"), smoothing, show)


def stylize_live(styler: Styler, source: Iterator[np.ndarray], smoothing: float, show: Show) -> Stopwatch:
    watch = Stopwatch()
    # One ahead is the newest: a camera drops what nobody fetches.
    with steady_stylizing(styler, smoothing) as stylize, ahead(source, depth=1) as taken:
        for frame in taken:
            with watch.running():
                stylized = stylize(frame, time.monotonic())
            if not show(stylized):
                break
    return watch


def frames(device: str, kind: str) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Yields the frames of a device that FFmpeg reads as this kind."""
    with one_line_errors(device), av.open(device, format=kind) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


@contextmanager
def window() -> Iterator[Show]:
    try:
        import cv2
    except ModuleNotFoundError:
        raise UserError("a window needs OpenCV: pip install opencv-python; or use a v4l2 device, /dev/videoN") from None

    def show(frame: np.ndarray) -> bool:
        try:
            cv2.imshow(TITLE, frame[..., ::-1])
            return bool(cv2.waitKey(1) != ord("q"))
        except cv2.error:
            raise UserError("OpenCV cannot open a window here; choose a v4l2 device, /dev/videoN") from None

    yield show
    cv2.destroyAllWindows()


@contextmanager
def loopback(device: str, kind: str = "v4l2") -> Iterator[Show]:
    """A device that v4l2loopback made, for example."""
    stream: Any = None
    with one_line_errors(device), av.open(device, "w", format=kind) as container:

        def show(frame: np.ndarray) -> bool:
            nonlocal stream
            if stream is None:
                height, width = frame.shape[:2]
                stream = container.add_stream("rawvideo", rate=25, width=width, height=height, pix_fmt="yuv420p")
            container.mux(stream.encode(VideoFrame.from_ndarray(np.ascontiguousarray(frame))))
            return True

        yield show
