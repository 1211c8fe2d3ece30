"""Which images a cluster has to stylize: pairs of names below the input and the output folder."""

import os
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stylenet.cluster.places import Place
from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.pipeline.earlier import left_out_line, without_results
from stylenet.pipeline.inputs import IMAGE_SUFFIXES, SUFFIXES, Found, unsaid
from stylenet.pipeline.plan import plan, result_name, told_apart

Say = Callable[[str], None]


@dataclass(frozen=True)
class Todo:
    """Images to stylize by their names below `source`, their results below `target`.

    `present` are the images whose results exist, and `clips` what is no image; both are left out.
    """

    names: list[str]
    results: list[str]
    present: int = 0
    clips: int = 0


def plan_rows(
    source: Place,
    target: Place,
    style: str,
    suffix: str | None,
    skip_existing: bool,
    say: Say = unsaid,
) -> Todo:
    """What is to be done, named as `infer.py SOURCE -o TARGET` names it; `say` takes a line about what is left out.

    Raises `UserError`.
    """
    check_apart(source, target)
    if target.is_url:
        target.check_writable()  # its driver, before anything is listed
    pairs, clips = (
        list_images(source, style, suffix, say) if source.is_url else found(source, target, style, suffix, say)
    )
    if not pairs and source.is_url and not source.exists():
        raise UserError(f"there is no folder {printable(source.text)}")
    if not pairs:
        raise UserError(f"{printable(source.text)} has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    target.check_writable()
    there = existing_results(target, [result for _, result in pairs]) if skip_existing else set()
    left = [(name, result) for name, result in pairs if result not in there]
    return Todo([name for name, _ in left], [result for _, result in left], len(pairs) - len(left), clips)


def check_apart(source: Place, target: Place) -> None:
    """Raises `UserError` for an output inside the input, where the next run would take results for images."""
    (kind, folder), (target_kind, target_folder) = source.normalized, target.normalized
    if kind == target_kind and target_folder.is_relative_to(folder):
        raise UserError(f"output {printable(target.text)} is inside the input {printable(source.text)}")
    if not source.is_url and not os.path.isdir(source.text):
        raise UserError(f"there is no folder {printable(source.text)}")


def found(source: Place, target: Place, style: str, suffix: str | None, say: Say) -> tuple[list[tuple[str, str]], int]:
    """The images of a folder, with the checks of `pipeline.plan`, and the number of its clips."""
    output = "/" if target.is_url else target.text  # where a URL's names are only names
    every = plan([source.text], style, output, suffix, say=say)
    jobs = [job for job in every if not job.is_clip]
    pairs = [(os.path.relpath(job.source, source.text), os.path.relpath(job.target, output)) for job in jobs]
    return pairs, len(every) - len(jobs)


def list_images(source: Place, style: str, suffix: str | None, say: Say) -> tuple[list[tuple[str, str]], int]:
    """The images of a URL, and the number of its clips. Raises `UserError` where two would become one result."""
    kinds = {name: posixpath.splitext(name)[1].lower() for name in source.files() if not is_hidden(name)}
    names = inputs_of([name for name, kind in kinds.items() if kind in IMAGE_SUFFIXES], style, say)
    results = [result_name(name, style, suffix) for name in names]
    same = told_apart((result, posixpath.splitext(name)[1]) for name, result in zip(names, results, strict=True))
    pairs = [
        (name, result_name(name, style, suffix, apart=result in same))
        for name, result in zip(names, results, strict=True)
    ]
    first: dict[str, str] = {}
    for name, result in pairs:
        other = first.setdefault(result, name)
        if other != name:
            raise UserError(f"{printable(other)} and {printable(name)} would both become {printable(result)}")
    return pairs, sum(kind in SUFFIXES - IMAGE_SUFFIXES for kind in kinds.values())


def inputs_of(names: Sequence[str], style: str, say: Say) -> list[str]:
    """The names without results of earlier runs beside their images."""
    every = [Found(Path(name), Path(name)) for name in names]
    kept = without_results(every, style)
    if left_out := [each.source for each in set(every) - set(kept)]:
        say(left_out_line(left_out))
    return [str(each.source) for each in kept]


def is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def existing_results(target: Place, results: Sequence[str]) -> set[str]:
    """Which of the results are there."""
    if not target.is_url:
        return {result for result in results if os.path.exists(os.path.join(target.text, result))}
    return set(target.files()) if target.exists() else set()
