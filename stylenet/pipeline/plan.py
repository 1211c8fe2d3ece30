"""Turns the names of inputs into jobs: pairs of source and target.

Nothing is written here, and no job that is returned would lose a file.
"""

import os
from collections.abc import Sequence as Several
from pathlib import Path

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.media.formats import WRITABLE, format_of
from stylenet.media.sequence import Sequence
from stylenet.media.video.codecs import FORMATS as VIDEO_FORMATS
from stylenet.media.video.codecs import SUFFIXES as VIDEO_SUFFIXES
from stylenet.pipeline.inputs import Found, find
from stylenet.pipeline.job import STANDARD_INPUT, STANDARD_OUTPUT, Job
from stylenet.pipeline.targets import check_inside, check_targets, entry
from stylenet.pipeline.unfinished import parts_of

STREAM = "-"  # as an argument: a standard stream


def plan(
    inputs: Several[str],
    style: str,
    output: str | None = None,
    suffix: str | None = None,
    skip_existing: bool = False,
) -> list[Job]:
    """The jobs for files, folders, globs and sequences, in the order given and without repetition.

    `output` is a file if it has a suffix that can be written, or is the pattern of a sequence; else a folder; without
    it, results stand beside their sources. `-` is a standard stream. `suffix` is that of the image format to write,
    else the output's or the source's. What was kept of a
    clip that was stopped is no input, with `skip_existing` nor are an earlier run's results. Raises `UserError`
    when a result would overwrite an input, another result, or leave the folder, and for a suffix that isn't written.
    """
    if output == "":  # which Path takes for the working folder
        raise UserError("the name of the output is empty; the working folder is .")
    if STREAM in (*inputs, output):
        return [_stream_job(inputs, output, suffix)]
    if output is not None and names_a_file(output):
        jobs = [_named_job(_only(list(find(inputs)), Path(output)), Path(output), suffix)]
        check_targets(jobs)
        return jobs
    folder = Path(output) if output is not None else None
    jobs = [_job(found, style, folder, suffix) for found in find(inputs, folder)]
    parts = {entry(part) for job in jobs if job.is_clip for part in parts_of(job.target)}
    jobs = [job for job in jobs if entry(job.source) not in parts]
    if skip_existing:
        results = {entry(job.target) for job in jobs}
        jobs = [job for job in jobs if entry(job.source) not in results]
    check_targets(jobs)
    if folder is not None:
        check_inside(jobs, folder)
    return jobs


def names_a_file(output: str) -> bool:
    """Whether an output is a file, and not a folder: by its suffix, unless it is there as a folder or ends with a
    slash.

    Raises `UserError` for a suffix that cannot be written, which is more likely a mistake than a folder's name.
    """
    if output.endswith(("/", os.sep)) or os.path.isdir(output):
        return False
    suffix = Path(output).suffix.lower()
    if not suffix or suffix in WRITABLE or suffix in VIDEO_FORMATS:
        return bool(suffix)
    kinds = f"{', '.join(WRITABLE)}; of videos {', '.join(VIDEO_FORMATS)}"
    hint = f"; a folder of this name needs a slash at its end, {printable(output)}/"
    raise UserError(f"{printable(output)}: cannot write this kind of file; supported: {kinds}{hint}")


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES or Sequence.of(os.fspath(path)) is not None


def _stream_job(inputs: Several[str], output: str | None, suffix: str | None) -> Job:
    """One image from standard input, or to standard output, or both."""
    if STREAM in inputs and len(inputs) > 1:
        raise UserError("'-' (standard input) cannot be combined with other inputs")
    source = STANDARD_INPUT if STREAM in inputs else _only(list(find(inputs)), STANDARD_OUTPUT)
    if output is None or output == STREAM:
        job = Job(source, STANDARD_OUTPUT, WRITABLE[suffix] if suffix is not None else None, _is_clip(source))
    elif not names_a_file(output):
        raise UserError(f"output {printable(output)} is a folder, where standard input has no name; give a file's name")
    else:
        job = _named_job(source, Path(output), suffix)
    if job.is_clip:
        raise UserError("standard streams take a single image or animation, no video and no sequence")
    return job


def _only(found: list[Found], target: Path) -> Path:
    if len(found) != 1:
        raise UserError(f"output {printable(target)} is one file, but there are {len(found)} inputs; give a folder")
    return found[0].source


def _named_job(source: Path, target: Path, suffix: str | None) -> Job:
    """The job with a target that the user named. Raises `UserError` for a suffix of another format than `suffix`."""
    if _is_clip(source) or _is_clip(target):
        return Job(source, target, is_clip=True)
    format_ = format_of(target)
    if suffix is not None and WRITABLE[suffix] != format_:
        raise UserError(f"output {printable(target)} is {format_.name} by its name, not {suffix[1:]}")
    return Job(source, target, format_)


def _job(found: Found, style: str, folder: Path | None, suffix: str | None) -> Job:
    """The job with a target named after its source. The result of an image `%d.png` is no sequence."""
    is_video = found.source.suffix.lower() in VIDEO_SUFFIXES
    # A video that isn't written as it came (AVI, say) becomes MKV, which holds every kind of sound.
    kinds, other = (VIDEO_FORMATS, ".mkv") if is_video else (WRITABLE, ".png")
    own = found.source.suffix if found.source.suffix.lower() in kinds else other
    name = f"{found.source.stem}-{style}{(not is_video and suffix) or own}"
    target = found.source.with_name(name) if folder is None else folder / found.place.parent / name
    job = Job(found.source, target, None if is_video else format_of(target), _is_clip(found.source))
    if job.is_clip and not is_video and job.sequence is None:
        raise UserError(f"{printable(target)} is no pattern of numbered images; choose another output")
    return job
