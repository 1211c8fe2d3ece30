"""`stylenet cluster`: folders of images on many machines, by Ray Data."""

import argparse
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from stylenet.cli.command import Parser, complain, whole_number
from stylenet.cli.infer_options import STYLE, add_brush_options, add_format_options, add_size_options, controls_of
from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.models.catalog import find_reference

EPILOG = """\
IN and OUT are folders that all machines see under the same path, or URLs that fsspec opens (s3://bucket/photos).
Results are named as those of stylenet infer. OUT/outcomes/ has a row per image: path, style, width, height,
milliseconds, notes, error.

examples:
  stylenet cluster photos/ styled/ -s starry                      all cores of this machine
  stylenet cluster /nfs/photos /nfs/styled -s wave --address auto --skip-existing
"""


def parser() -> Parser:
    result = Parser("Stylizes folders of images on a Ray cluster.", EPILOG)
    add = result.add_argument
    add("source", metavar="IN", help="folder or URL with images, subfolders included")
    add("target", metavar="OUT", help="folder or URL for the results, outside IN")
    add("-s", "--style", required=True, metavar="STYLE", help=STYLE)
    add_brush_options(result)
    add_size_options(result)
    add_format_options(result.add_argument_group("files"))
    group = result.add_argument_group("cluster")
    group.add_argument("--address", help="a running Ray cluster: auto, or host:port; default: this machine alone")
    group.add_argument(
        "--actors",
        type=whole_number(1),
        metavar="N",
        help="processes; default: one per GPU or CPU core",
    )
    group.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: GPUs if there are any")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    return run_on_cluster(parser().parse_args(arguments))


def run_on_cluster(chosen: argparse.Namespace) -> int:
    """Checks everything that can be checked before Ray starts, then runs. Raises `UserError`."""
    if importlib.util.find_spec("ray") is None:
        raise UserError("a cluster needs Ray: pip install 'stylenet[ray]'")
    brush, reference = controls_of(chosen), find_reference(chosen.style)
    from stylenet.cluster.actors import Assignment
    from stylenet.cluster.places import Place  # after the checks: torch takes seconds to import
    from stylenet.cluster.plan import plan_rows
    from stylenet.cluster.run import Cluster, run
    from stylenet.media.picture import Size
    from stylenet.models.loading import load_single_style

    load_single_style(reference)  # one line now instead of one per actor
    source, target = Place(chosen.source), Place(chosen.target)
    suffix = f".{chosen.format}" if chosen.format else None
    work = Assignment(
        style=reference.file.read_bytes(),
        name=reference.name,
        inner=reference.style,
        source=source,
        target=target,
        brush=brush,
        size=Size(chosen.size, chosen.max_size, chosen.max_pixels),
        quality=chosen.quality,
    )
    todo = plan_rows(source, target, reference.name, suffix, chosen.skip_existing, complain)
    if chosen.quality is not None and not todo.present:
        check_quality(todo.results)
    summary = run(todo, work, Cluster(chosen.address, chosen.actors, chosen.device), complain)
    print(f"{printable(chosen.target)}: {summary}")
    return 1 if summary.failed else 0


def check_quality(results: Iterable[str]) -> None:
    """Raises `UserError` if no result has a format with a quality."""
    from stylenet.media.formats import format_of

    if not any(format_of(Path(result)).has_quality for result in results):
        raise UserError("--quality is for JPEG and WebP, which none of the results is")
