"""Results of earlier runs among the files of a searched folder: they are no inputs."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from stylenet.disk import printable
from stylenet.models.catalog import GALLERY, PREVIEW, result_names
from stylenet.pipeline.inputs import Found
from stylenet.pipeline.unfinished import UNFINISHED


def without_results(found: Sequence[Found], style: str) -> list[Found]:
    """What was found, without the results that stand beside their sources in a searched folder or glob.

    `photo-STYLE.jpg` is one beside `photo.png`, or any other `photo.…` that was found, if a style has that name, or
    if it is the `style` of this run, which may be a blend; `photo-STYLE-unfinished.mp4` is a part of one. What was
    named itself is an input, whatever its name.
    """
    styles = {*result_names(), style, *style.split("+")}
    stems = {(each.source.parent, each.source.stem) for each in found}
    stems |= {(each.source.parent, _with_suffix_inside(each)) for each in found}
    return [each for each in found if not (each.searched and _is_result(each, stems, styles))]


def left_out_line(files: Sequence[Path]) -> str:
    """Names the files that were left out as results."""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"results of earlier runs are no inputs unless they are named: {printable(min(files))}{more}"


def _with_suffix_inside(found: Found) -> str:
    """How a result's name begins where another source has the same stem: `photo-png`."""
    return f"{found.source.stem}-{found.source.suffix[1:]}"


def _is_result(found: Found, stems: Collection[object], styles: Collection[str]) -> bool:
    parts = _divided(UNFINISHED.sub("", found.source.stem))
    return any((found.source.parent, stem) in stems and _is_style(name, styles) for stem, name in parts)


def _divided(stem: str) -> Iterator[tuple[str, str]]:
    """All ways to take a name for that of a photo, a dash, and that of a style."""
    pieces = stem.split("-")
    return (("-".join(pieces[:cut]), "-".join(pieces[cut:])) for cut in range(1, len(pieces)))


def _is_style(name: str, styles: Collection[str]) -> bool:
    """Whether it names a style, one of the gallery, a preview, or a blend of styles."""
    return (
        name in styles
        or name.startswith(PREVIEW)
        or all(part in styles or part.startswith(f"{GALLERY}-") for part in name.split("+"))
    )
