"""Worker process of the service: loads the styles, then stylizes the images and clips that its pipes bring."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from http import HTTPStatus
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from PIL import Image

from stylenet.device import NoMemoryError
from stylenet.disk import atomic_write, is_disk_error
from stylenet.errors import UserError
from stylenet.inference.loaded_file import LoadedFile
from stylenet.inference.mask import Mask, as_mask
from stylenet.inference.painter import BoundStyler
from stylenet.inference.settings import Brush
from stylenet.inference.styler import Styler
from stylenet.inference.stylizer import Stylizer
from stylenet.media.formats import WRITABLE
from stylenet.media.image import decode_image
from stylenet.media.limits import TooManyPixelsError, UnknownImageError
from stylenet.media.picture import Picture
from stylenet.models.catalog import StyleReference
from stylenet.pipeline.batching import Batching
from stylenet.pipeline.restyle import restyle
from stylenet.serve.clips import is_clip, stylize_upload
from stylenet.serve.work import BEGUN, PING, Done, Failed, Refused, Reply, Work

KEPT = 32  # style files in a worker's memory, of 4 to 7 MB each
FULL = "the service's disk is full or cannot be written"
GPU_LANES = 16  # images that decode, wait and encode around one GPU


@dataclass(frozen=True)
class Device:
    """Where one worker process computes: `cuda`, `mps` or `cpu`, and the index of the GPU or of the worker."""

    kind: str
    index: int

    @property
    def lanes(self) -> int:
        """Images that the process works on at once: one per CPU core, several on a GPU."""
        return GPU_LANES if self.kind == "cuda" else 1


def run_worker(connections: Sequence[Connection], files: Mapping[str, StyleReference], device: Device) -> None:
    """Entry point of a worker process: answers until the front process ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the front process decides when its workers end
    prepare(device)
    style_of = style_cache(files, device)
    others = [threading.Thread(target=serve, args=(one, style_of), daemon=True) for one in connections[1:]]
    for thread in others:
        thread.start()
    serve(connections[0], style_of)


def prepare(device: Device) -> None:
    """One thread per process on a CPU, as threads that share cores wait for each other; one GPU per process."""
    if device.kind == "cpu":
        torch.set_num_threads(1)
    if device.kind == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[device.index] if visible else str(device.index)


class LoadedStyle:
    """A style in a worker's memory; on a GPU, images of equal size are batched."""

    def __init__(self, stylizer: Stylizer, device: Device) -> None:
        self.stylizer = stylizer
        self.plain: Styler = Batching(stylizer) if device.lanes > 1 else stylizer

    def styler(self, brush: Brush, mask: Mask | None) -> Styler:
        """The style with a brush and a mask; only images without either are batched."""
        if brush == Brush() and mask is None:
            return self.plain
        return BoundStyler(self.stylizer, brush, mask)


StyleOf = Callable[[str], LoadedStyle]


def style_cache(files: Mapping[str, StyleReference], device: Device) -> StyleOf:
    """A function from a name to its style: an LRU cache of `KEPT` files, filled now."""
    opened = lru_cache(KEPT)(lambda file: styles_in(file, device))
    for file in list(dict.fromkeys(style.file for style in files.values()))[:KEPT]:
        opened(file)
    return lambda name: opened(files[name].file)(files[name])


def styles_in(file: Path, device: Device) -> Callable[[StyleReference], LoadedStyle]:
    """A function to the styles of a file, which is read now; all of them are kept."""
    loaded = LoadedFile(file, device.kind)
    return cache(lambda style: LoadedStyle(loaded.stylizer(style), device))


def serve(connection: Connection, style_of: StyleOf) -> None:
    """Answers the messages of one pipe, by their numbers, until its other end is closed."""
    while True:
        try:
            number, message = connection.recv()
        except EOFError:
            return
        if message is PING:
            connection.send((number, PING))
        else:
            connection.send((number, BEGUN))
            connection.send((number, reply_to(message, style_of)))


def reply_to(work: Work, style_of: StyleOf) -> Reply:
    """Does the work; mistakes of the client and bugs become replies."""
    if time.monotonic() >= work.deadline:
        return Refused(HTTPStatus.GATEWAY_TIMEOUT, "the deadline passed before the work began")
    try:
        style = style_of(work.style)
    except UserError:  # its file was changed since the start, which is no mistake of the client's
        return Failed(traceback.format_exc())
    try:
        if is_clip(work.data):
            return stylize_upload(work, style.stylizer)
        return stylize_image(work, style)
    except Exception as error:
        return reply_about(error)


def reply_about(error: Exception) -> Reply:
    """The reply that an error becomes: the client's mistake, a disk that is full, too little memory, or a bug."""
    if is_disk_error(error):
        return Failed(traceback.format_exc(), HTTPStatus.SERVICE_UNAVAILABLE, FULL)
    if isinstance(error, NoMemoryError):
        return Failed(traceback.format_exc(), HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    if isinstance(error, UserError):
        return Refused(status_of(error), str(error))
    return Failed(traceback.format_exc())


def stylize_image(work: Work, style: LoadedStyle) -> Done:
    """Stylizes an image file's bytes. Raises `UserError`."""
    data = work.data if isinstance(work.data, bytes) else work.data.read_bytes()
    check_frames(data, work)
    styler = style.styler(work.brush, mask_of(work))
    result = restyle(data, styler, work.size, WRITABLE[work.format] if work.format else None, work.quality)
    suffix = next(suffix for suffix, form in WRITABLE.items() if form.name == result.format)
    done = Done(
        result.data,
        Image.MIME[result.format],
        suffix,
        result.width,
        result.height,
        list(result.notes),
        result.network_seconds,
        result.seconds,
    )
    return store(done, work.target)


def store(done: Done, target: Path | None) -> Done:
    """The result, moved into its file if it has one."""
    if target is None:
        return done
    with atomic_write(target.with_suffix(done.suffix)) as temporary:
        temporary.write_bytes(done.data)
    return replace(done, data=b"")


def check_frames(data: bytes, work: Work) -> None:
    """Raises `TooManyPixelsError` for too many pixels within the network, or of all frames of an animation together."""
    header = Picture.open(data, work.size)
    work.check_stroke(*header.size_at_work)
    if header.animated and header.count * header.pixels > work.pixels:
        frames = f"{header.count} frames of {header.pixels:,} pixels"
        raise TooManyPixelsError(f"the image has {frames}, more than the limit of {work.pixels:,}")


def mask_of(work: Work) -> Mask | None:
    """The work's mask, inverted if it says so. Raises `UserError`."""
    if work.mask is None:
        if work.mask_invert:
            raise UserError("mask_invert: needs a mask")
        return None
    mask = as_mask(decode_image(work.mask, work.size.max_pixels, name="the mask"))
    return 1 - mask if work.mask_invert else mask


def status_of(error: UserError) -> int:
    """The HTTP status of a mistake in what a client sent."""
    if isinstance(error, TooManyPixelsError):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(error, UnknownImageError):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return HTTPStatus.UNPROCESSABLE_ENTITY
