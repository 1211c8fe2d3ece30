"""Turns the names of inputs into jobs: pairs of source and target.

Nothing is written here, and no job that is returned would lose a file.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.media.formats import WRITABLE, format_of
from stylenet.media.numbered_images import NumberedImages
from stylenet.media.video.codecs import FORMATS as VIDEO_FORMATS
from stylenet.media.video.codecs import SUFFIXES as VIDEO_SUFFIXES
from stylenet.pipeline.earlier import left_out_line, without_results
from stylenet.pipeline.inputs import Found, find, unsaid
from stylenet.pipeline.job import STANDARD_INPUT, STANDARD_OUTPUT, Job
from stylenet.pipeline.targets import check_inside, check_targets, entry
from stylenet.pipeline.unfinished import parts_of

STREAM = "-"  # as an argument: a standard stream
OTHER_NAMES = {".jfif": ".jpg"}  # of formats that can be written


def plan(
    inputs: Sequence[str],
    style: str,
    output: str | None = None,
    suffix: str | None = None,
    skip_existing: bool = False,
    say: Callable[[str], None] = unsaid,
) -> list[Job]:
    """The jobs for files, folders, globs and sequences, in the order given and without repetition.

    `output` is a file if it has a suffix that can be written, or is the pattern of a sequence; else a folder; without
    it, results stand beside their sources. `-` is a standard stream. `suffix` is that of the image format to write,
    else the output's or the source's. Results of earlier runs beside their sources in a searched folder are no inputs,
    nor is what was kept of a clip that was stopped; with `skip_existing` no result of this run is one. `say` takes a
    line about what is left out. Raises `UserError` when a result would overwrite an input, another result, or leave the
    folder, and for a suffix that isn't written.
    """
    if output == "":  # which Path takes for the working folder
        raise UserError("the name of the output is empty; the working folder is .")
    if STREAM in (*inputs, output):
        return [_stream_job(inputs, output, suffix)]
    if output is not None and names_a_file(output):
        jobs = [_named_job(_only(list(find(inputs)), Path(output)), Path(output), suffix)]
    else:
        folder = Path(output) if output is not None else None
        jobs = _jobs_for_all(list(find(inputs, folder, say)), style, folder, suffix, skip_existing, say)
    check_targets(jobs)
    return jobs


def _jobs_for_all(
    found: list[Found],
    style: str,
    folder: Path | None,
    suffix: str | None,
    skip_existing: bool,
    say: Callable[[str], None],
) -> list[Job]:
    """The jobs for everything that was found but results of earlier runs, and of this one if those are skipped."""
    sources = without_results(found, style)
    jobs = _folder_jobs(sources, style, folder, suffix)
    results = {entry(job.target) for job in jobs}
    parts = {entry(part) for job in jobs if job.is_clip for part in parts_of(job.target)}
    named = {entry(each.source) for each in found if not each.searched}
    jobs = [job for job in jobs if entry(job.source) not in parts - named]
    if skip_existing:
        jobs = [job for job in jobs if entry(job.source) not in results]
    left_out = [each.source for each in set(found) - set(sources) if entry(each.source) not in results]
    if left_out:
        say(left_out_line(left_out))
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
    return path.suffix.lower() in VIDEO_SUFFIXES or NumberedImages.of(os.fspath(path)) is not None


def _stream_job(inputs: Sequence[str], output: str | None, suffix: str | None) -> Job:
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


def _is_still(source: Path) -> bool:
    """Whether it is an image and no animation; False also where reading it will fail with a message of its own."""
    from stylenet.media.decoders import opened_image  # Pillow, which is not needed otherwise

    try:
        with opened_image(source) as image:
            return not getattr(image, "is_animated", False)
    except UserError:
        return False


def _only(found: list[Found], target: Path) -> Path:
    if len(found) != 1:
        raise UserError(f"output {printable(target)} is one file, but there are {len(found)} inputs; give a folder")
    return found[0].source


def _named_job(source: Path, target: Path, suffix: str | None) -> Job:
    """The job with a target that the user named. Raises `UserError` for a suffix of another format than `suffix`."""
    if _is_clip(source) or _is_clip(target):
        if NumberedImages.of(os.fspath(target)) is not None and not _is_clip(source) and _is_still(source):
            raise UserError(
                f"output {printable(target)} is a pattern of numbered images, and {printable(source)} a single image"
            )
        return Job(source, target, is_clip=True)
    format_ = format_of(target)
    if suffix is not None and WRITABLE[suffix] != format_:
        raise UserError(f"output {printable(target)} is {format_.name} by its name, not {suffix[1:]}")
    return Job(source, target, format_)


def _folder_jobs(found: Sequence[Found], style: str, folder: Path | None, suffix: str | None) -> list[Job]:
    """The jobs with targets named after their sources, and also after the suffixes of those whose names are alike."""
    jobs = [_job(each, style, folder, suffix) for each in found]
    same = told_apart((entry(job.target), job.source.suffix) for job in jobs)
    return [
        _job(each, style, folder, suffix, apart=True) if entry(job.target) in same else job
        for each, job in zip(found, jobs, strict=True)
    ]


def told_apart(results: Iterable[tuple[str, str]]) -> set[str]:
    """The results, of pairs of a result and its source's suffix, that several sources share, each of another suffix."""
    suffixes = defaultdict[str, list[str]](list)
    for result, suffix in results:
        suffixes[result].append(suffix)
    return {result for result, every in suffixes.items() if 1 < len(every) == len(set(every))}


def result_name(name: str, style: str, suffix: str | None = None, apart: bool = False) -> str:
    """The name, or path, of the result for an image or video, in the image format of `suffix` or else in its own.

    `apart` puts the source's own suffix into it, as in `photo-png-wave.jpg`.
    """
    stem, own = os.path.splitext(name)
    # A video that isn't written as it came (AVI, say) becomes MKV, which holds every kind of sound.
    if own.lower() in VIDEO_SUFFIXES:
        written = own if own.lower() in VIDEO_FORMATS else ".mkv"
    else:
        written = suffix or (own if own.lower() in WRITABLE else OTHER_NAMES.get(own.lower(), ".png"))
    return f"{stem}{f'-{own[1:]}' if apart else ''}-{style}{written}"


def _job(found: Found, style: str, folder: Path | None, suffix: str | None, apart: bool = False) -> Job:
    """The job with a target named after its source. The result of an image `%d.png` is no sequence."""
    is_video = found.source.suffix.lower() in VIDEO_SUFFIXES
    name = result_name(found.source.name, style, suffix, apart)
    target = found.source.with_name(name) if folder is None else folder / found.place.parent / name
    job = Job(found.source, target, None if is_video else format_of(target), _is_clip(found.source))
    if job.is_clip and not is_video and job.sequence is None:
        raise UserError(f"{printable(target)} is no pattern of numbered images; choose another output")
    return job
