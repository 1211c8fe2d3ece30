"""Video clips that were uploaded as jobs."""

import time
from pathlib import Path

from stylenet.errors import UserError
from stylenet.inference.painter import BoundStyler
from stylenet.inference.settings import SMOOTHING
from stylenet.inference.stylizer import Stylizer
from stylenet.media.limits import TooManyPixelsError, UnknownImageError
from stylenet.serve.options import Options
from stylenet.serve.work import Done, Work

STILLS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # brands
FRAME = 9_000_000  # pixels of a frame, 4K: encoder, decoder and what waits between take about 430 bytes for each
FRAMES = 100  # times the pixels of an image: a clip's frames come one by one, and cost time instead of memory
NAME = "the clip"  # in messages
SUFFIX, MEDIA_TYPE = ".mp4", "video/mp4"  # of results: what every browser plays


def is_clip(data: bytes | Path) -> bool:
    """Whether a file begins as MP4, MOV, Matroska, WebM or AVI does."""
    if isinstance(data, bytes):
        start = data[:12]
    else:
        with data.open("rb") as file:
            start = file.read(12)
    if start[4:8] == b"ftyp":
        return start[8:12] not in STILLS
    return start.startswith(b"\x1a\x45\xdf\xa3") or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")


def check_options(options: Options, mask: bytes | None) -> None:
    """Raises `UserError`, which names it, for an option that has no effect on a clip."""
    given = {"mask": mask, "mask_invert": options.mask_invert, "format": options.format, "quality": options.quality}
    for name, value in given.items():
        if value not in (None, False):
            raise UserError(f"{name}: is for images, and this is a video clip, answered as MP4")


def check_frame(work: Work, width: int, height: int) -> None:
    """Raises `UserError` for frames that are too large, as stored or as the work would make them, or of no size."""
    if not (width and height):
        raise UserError(f"{NAME} does not tell the size of its frames")
    at_work = work.size.of(width, height)
    for each in ((width // 2, height // 2), at_work):  # decoding takes less memory than the rest
        if each[0] * each[1] > FRAME:
            raise TooManyPixelsError(f"the frames of {NAME} have {width} x {height} pixels, more than the limit")
    work.check_stroke(*at_work)


def stylize_upload(work: Work, stylizer: Stylizer) -> Done:
    """Stylizes an uploaded clip into the work's target, as MP4. Raises `UserError`."""
    if isinstance(work.data, bytes) or work.target is None:
        raise UnknownImageError("the image is a video clip, which goes to /v1/jobs")
    try:
        from stylenet.media.video.reading import Clip
        from stylenet.media.video.timing import Span
        from stylenet.pipeline.clip import ClipJob, stylize_clip
    except ModuleNotFoundError as error:
        raise UnknownImageError("the file is a video clip, and this service stylizes images only") from error
    source, target = work.data.with_suffix(SUFFIX), work.target.with_suffix(SUFFIX)
    source.symlink_to(work.data.name)  # a video's suffix, for stylize_clip; FFmpeg reads the content
    notes: list[str] = []
    start = time.perf_counter()
    with Clip(source, Span(), name=NAME) as clip:
        check_frame(work, clip.video.width, clip.video.height)
    styler = BoundStyler(stylizer, work.brush)
    job = ClipJob(source, target, SMOOTHING, size=work.size, pixels=FRAMES * work.pixels, keep=False, name=NAME)
    stylize_clip(styler, job, notes.append)
    with Clip(target, Span(), name=NAME) as clip:
        width, height = clip.video.width, clip.video.height
    return Done(b"", MEDIA_TYPE, SUFFIX, width, height, notes, seconds=time.perf_counter() - start)
