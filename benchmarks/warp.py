"""Stability of stylized video: `python benchmarks/warp.py STYLE [STYLE...] --clips CLIP... --photo PHOTO`.

The warp error: each stylized frame beside the one before it, moved as the scene moved. On clips the movement is found
in the original frames (OpenCV's DIS flow), and counts where forward and backward flow agree and no edge of a moving
thing is near (Ruder et al. 2016, section 3). On what is made from a photo it is known exactly. The root of the mean
square is divided by the images' RMS contrast, as low contrast alone lowers the error. Beside moving objects the flow is
wrong even where both directions agree: "explained" is the same where the original frames themselves, moved, differ by
less than a camera's noise, with the share of such places.
Needs `pip install 'stylenet[video,bench]'`.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from measuring import machine

from stylenet.inference.settings import SMOOTHING
from stylenet.inference.stylizer import Stylizer
from stylenet.inference.temporal import steady_stylizing
from stylenet.media.image import decode_image

RIM = 8  # pixels, left off: flow is least sure there
EXPLAINED = 3, 9  # of 255, the mean difference over the colors and a square of so many pixels
REACH = 64  # pixels; beyond, no convolution sees what passes by
PANS = {"pan 3 px": (3.0, 0.0), "pan 0.6, 0.3 px": (0.6, 0.3)}  # a frame
ZOOMS = {"zoom in 1 %": 1.01, "zoom out 0.4 %": 1 / 1.004}  # a frame


@dataclass(frozen=True)
class Clip:
    """Frames, `h w 3` in bytes, with where each pixel of a frame but the first was in the one before it.

    `moves` are in pixels (x, y), `seen` is where they can be trusted.
    """

    frames: list[np.ndarray]
    moves: list[np.ndarray]
    seen: list[np.ndarray]
    rate: float = 25.0  # frames a second


def filmed(path: Path, height: int, count: int) -> Clip:
    """The first frames of a video, with the flow that DIS finds."""
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate or 25)
        decoded = itertools.islice(container.decode(video=0), count)
        frames = [resized(frame.to_ndarray(format="rgb24"), height) for frame in decoded]
    pairs = [both_flows(before, after) for before, after in itertools.pairwise(frames)]
    return Clip(frames, [back for back, _ in pairs], [trusted(*pair) for pair in pairs], rate)


def resized(frame: np.ndarray, height: int) -> np.ndarray:
    width = round(frame.shape[1] * height / frame.shape[0])
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))


def both_flows(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The flow from `after` back to `before`, and from `before` on."""
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return flow.calc(gray[1], gray[0], None), flow.calc(gray[0], gray[1], None)


def trusted(back: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """The pixels at which one flow undoes the other, away from the edges of what moves."""
    returned = sampled(forward, back, cv2.INTER_LINEAR)
    size = square(back)
    agree = square(back + returned) < 0.01 * (size + square(returned)) + 0.5
    steps = sum(square(np.gradient(back, axis=axis)) for axis in (0, 1))
    return np.asarray(inside(back) & agree & (steps <= 0.01 * size + 0.002))


def square(vectors: np.ndarray) -> np.ndarray:
    return np.asarray((vectors**2).sum(-1))


def inside(back: np.ndarray) -> np.ndarray:
    """The pixels of which they and the place that they came from lie within the frame, off its rim."""
    height, width = back.shape[:2]
    far = np.array([width - 1 - RIM, height - 1 - RIM])
    places = [grid(height, width), grid(height, width) + back]
    return np.asarray(np.logical_and.reduce([((place >= RIM) & (place <= far)).all(-1) for place in places]))


def grid(height: int, width: int) -> np.ndarray:
    """Each pixel's own x and y."""
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))


def sampled(picture: np.ndarray, back: np.ndarray, interpolation: int = cv2.INTER_CUBIC) -> np.ndarray:
    """The content of `picture`, moved to where it is now."""
    places = (grid(*back.shape[:2]) + back).astype(np.float32)
    return np.asarray(cv2.remap(picture, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE))


def made(photo: np.ndarray, height: int, count: int) -> Iterator[tuple[str, Clip]]:
    """Pans and zooms over a photo, and a pale area that moves into view in front of it."""
    size = min(height, photo.shape[0] * 2 // 3), min(height * 4 // 3, photo.shape[1] * 2 // 3)
    middle = (np.array(photo.shape[1::-1], np.float32) - 1) / 2
    around = grid(*size) - (np.array(size[::-1], np.float32) - 1) / 2
    times = np.arange(count) - (count - 1) / 2
    for name, step in PANS.items():
        steps = np.array(step, np.float32)
        yield (
            name,
            known(photo, [middle + around + steps * time for time in times], np.broadcast_to(steps, around.shape)),
        )
    for name, scale in ZOOMS.items():
        yield name, known(photo, [middle + around / scale**time for time in times], around / scale - around)
    yield "passer-by", passing(look(photo, middle + around), count)


def known(photo: np.ndarray, places: list[np.ndarray], back: np.ndarray) -> Clip:
    moves = [np.ascontiguousarray(back, np.float32)] * (len(places) - 1)
    return Clip([look(photo, place) for place in places], moves, [inside(move) for move in moves])


def look(photo: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.remap(photo, places.astype(np.float32), None, cv2.INTER_CUBIC))


def passing(still: np.ndarray, count: int) -> Clip:
    """A pale wall that slides in from the left over a third of the frame; measured is the rest, which stands still."""
    width = still.shape[1]
    frames = [still.copy() for _ in range(count)]
    for number, frame in enumerate(frames):
        frame[:, : width * number // (3 * (count - 1))] = (225, 220, 205)
    moves = [np.zeros((*still.shape[:2], 2), np.float32)] * (count - 1)
    away = np.arange(width) > width // 3 + REACH
    return Clip(frames, moves, [inside(move) & away for move in moves])


def warp_error(clip: Clip, pictures: list[np.ndarray]) -> tuple[float, float]:
    """RMS difference from the moved frame before, and RMS contrast, both in [0, 255]."""
    errors = []
    for (before, after), move, mask in zip(itertools.pairwise(pictures), clip.moves, clip.seen, strict=True):
        difference = after.astype(np.float32) - sampled(before.astype(np.float32), move)
        errors.append(float((difference[mask] ** 2).mean()))
    whole = np.stack(pictures).astype(np.float32)
    contrast = float((whole - whole.mean((1, 2), keepdims=True)).std())
    return float(np.sqrt(np.mean(errors))), contrast


def explained(clip: Clip) -> Clip:
    """The same clip, measured only where its own frames change by no more than the movement."""
    limit, square = EXPLAINED
    seen = []
    for (before, after), move, mask in zip(itertools.pairwise(clip.frames), clip.moves, clip.seen, strict=True):
        difference = np.abs(after.astype(np.float32) - sampled(before.astype(np.float32), move)).mean(-1)
        seen.append(mask & (cv2.blur(difference, (square, square)) < limit))
    return replace(clip, seen=seen)


def stylized(stylizer: Stylizer, clip: Clip, smoothing: float) -> list[np.ndarray]:
    with steady_stylizing(stylizer, smoothing) as stylize:
        return [stylize(frame, number / clip.rate) for number, frame in enumerate(clip.frames)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Warp errors of styles, frame by frame and as infer.py makes videos.")
    parser.add_argument("styles", nargs="+")
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    parser.add_argument("--photo", type=Path, help="to pan and zoom over")
    parser.add_argument("--height", type=int, default=320, help="of the frames, in pixels")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--steady", type=float, nargs="*", default=[0.0, SMOOTHING], help="seconds; 0: frame by frame")
    options = parser.parse_args()
    clips = {path.stem: filmed(path, options.height, options.frames) for path in options.clips}
    if options.photo:
        clips |= made(np.asarray(decode_image(options.photo)), options.height, options.frames)
    columns = ["clip", "style", "steady, s", "error", "contrast", "error / contrast", "explained"]
    print(f"{machine()}\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, clip in clips.items():
        show(name, "the original", 0, clip, clip.frames)
        for style, smoothing in itertools.product(options.styles, options.steady):
            show(name, Path(style).stem, smoothing, clip, stylized(Stylizer.load(style), clip, smoothing))


def show(name: str, style: str, smoothing: float, clip: Clip, pictures: list[np.ndarray]) -> None:
    error, contrast = warp_error(clip, pictures)
    sure = explained(clip)
    quiet, share = warp_error(sure, pictures)[0] / contrast, np.sum(sure.seen) / np.sum(clip.seen)
    parts = [f"{error:.2f}", f"{contrast:.1f}", f"{error / contrast:.3f}", f"{quiet:.3f} ({100 * share:.0f} %)"]
    print(f"| {name} | {style} | {smoothing:g} | {' | '.join(parts)} |", flush=True)


if __name__ == "__main__":
    main()
