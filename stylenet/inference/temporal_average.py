"""Video that stands still where the scene does: while the camera stands, stylized frames are averaged over time.

A camera's noise, and whatever moves within the network's reach, makes other strokes of what itself stays as it was.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

# Of 255, the mean change over the colors and a square of so many pixels: up to the first it is noise, from the second
# on all is movement. Noise with a standard deviation of 5 comes to 4, beside a mean of frames.
NOISE, MOVEMENT = 4, 12
SQUARE = 5
# The share of a frame's edges that move: of a filmed crossing, and of a wall that enters, at most 0.18; of slow pans
# and zooms at least 0.5 after one frame, and soon 0.9.
STANDS, PANS = 0.25, 0.5


class TemporalAverage:
    """Averages a video's frames and their stylized images over time, both in the same way.

    Old strokes are kept only where the new frame looks like the frames they were painted from. They fade faster while
    the camera moves, where they would smear over an even sky, and where something has just moved, where they would
    leave a trail.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.camera = device, Camera()
        self.frame, self.picture = torch.empty(2, 1, 3, 0, 0)
        self.unrest = torch.empty(1, 1, 0, 0)

    @torch.inference_mode()
    def mixed(
        self, frame: UInt8[Tensor, "3 h w"], picture: UInt8[Tensor, "3 h w"], share: float
    ) -> UInt8[Tensor, "3 h w"]:
        """The stylized image of the next frame, of which only a `share` comes in where nothing moves; on the device."""
        new, painted = (pixels.to(self.device).float()[None] for pixels in (frame, picture))
        panning = self.camera.panning(new, share)
        if new.shape != self.frame.shape:
            self.frame, self.picture = new, painted
            self.unrest = torch.zeros_like(new[:, :1])
            return picture
        fading = (1 - share) * self.unrest
        self.unrest = movement(self.frame, new).maximum(panning).maximum(fading)
        weight = share + (1 - share) * self.unrest
        self.frame.lerp_(new, weight)
        self.picture.lerp_(painted, weight)
        settled: Tensor = self.picture.round().byte()[0]
        return settled

    def pixels(self, frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "3 h w"]:
        """A frame on the device; a copy only where torch needs one."""
        pixels = torch.from_numpy(np.require(frame, requirements=["C", "W"]))
        return pixels.to(self.device).movedim(-1, 0)

    def array(self, pixels: UInt8[Tensor, "3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
        """A frame back from the device."""
        array: np.ndarray = pixels.movedim(0, -1).contiguous().cpu().numpy()
        return array


class Camera:
    """Detects a moving camera by the edges in sight, all of which move with it."""

    def __init__(self) -> None:
        self.past = torch.empty(1, 1, 0, 0)

    def panning(self, frame: Float[Tensor, "1 3 h w"], share: float) -> Float[Tensor, ""]:
        """From 0, it stands, to 1; beside a moving average, in which slow pans add up."""
        gray = frame.mean(1, keepdim=True)
        if gray.shape != self.past.shape:
            self.past = gray
            return gray.new_ones(())  # made there: a copy from the host would wait
        edges = edges_of(gray)
        moving = (edges * movement(self.past, gray)).sum() / edges.sum().clamp_(min=1)
        self.past.lerp_(gray, share)
        return moving.sub_(STANDS).div_(PANS - STANDS).clamp_(0, 1)


def edges_of(gray: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 1 h w"]:
    """How much a pixel differs from its neighbors on the right and below, beyond noise."""
    right, below = gray.diff(dim=-1, append=gray[..., -1:]), gray.diff(dim=-2, append=gray[..., -1:, :])
    return right.abs_().add_(below.abs_()).sub_(2 * NOISE).relu_()


def movement(before: Float[Tensor, "1 c h w"], after: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 1 h w"]:
    """From 0, where there is nothing but noise, to 1, where all is movement."""
    change = (after - before).abs_().mean(1, keepdim=True)
    near = F.avg_pool2d(change, SQUARE, stride=1, padding=SQUARE // 2, count_include_pad=False)
    return near.sub_(NOISE).div_(MOVEMENT - NOISE).clamp_(0, 1)
