"""`stylenet hub push|pull`: networks on the Hugging Face Hub."""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stylenet.cli.command import OneLineParser, Parser, program, style_target
from stylenet.disk import atomic_write, check_writable, printable
from stylenet.models.catalog import find_style
from stylenet.models.hub import PREFIX, HubAddress, fetch_style, style_name
from stylenet.models.limits import SUFFIX

DESCRIPTION = """\
Uploads a network to the Hugging Face Hub, or downloads one. Log in first with: hf auth login"""
EXAMPLES = """\
examples:
  stylenet hub push starry user/starry --license mit   weights, model card, image
  stylenet hub pull hf:user/starry                     writes checkpoints/starry.safetensors
  stylenet infer photo.jpg -s hf:user/starry@v1        uses a network from the hub's cache
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    options = parse_arguments(arguments)
    return int(options.run(options))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(DESCRIPTION, EXAMPLES)
    commands = parser.add_subparsers(metavar="push|pull", required=True, parser_class=OneLineParser)
    to = commands.add_parser("push", prog=f"{program()} push", help="upload a network")
    to.add_argument("style", metavar="STYLE", help="a name in checkpoints/, or a style file")
    to.add_argument("repo", metavar="USER/REPO", help="the repository, created if missing")
    to.add_argument("--license", required=True, help="license by the hub's name for it: mit, cc-by-4.0, other …")
    to.add_argument("--private", action="store_true", help="make a new repository private")
    to.add_argument("--onnx", action="store_true", help="add an ONNX export (needs pip install 'stylenet[onnx]')")
    to.set_defaults(run=push)
    of = commands.add_parser("pull", prog=f"{program()} pull", help="download a network")
    of.add_argument("address", metavar="hf:USER/REPO[@REVISION][/FILE]", help="the network's address on the hub")
    of.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: checkpoints/REPO.safetensors")
    of.set_defaults(run=pull)
    return parser.parse_args(arguments)


def push(options: argparse.Namespace) -> int:
    file = find_style(options.style)
    from stylenet.release.hub import push_style  # after the check: torch takes seconds to import

    commit = push_style(file, options.repo, options.license, options.private, options.onnx)
    print(f"{PREFIX}{options.repo}@{commit}")
    return 0


def pull(options: argparse.Namespace) -> int:
    text = options.address if options.address.startswith(PREFIX) else f"{PREFIX}{options.address}"
    address = HubAddress.parse(text)
    if options.output:
        check_writable(style_target(options.output, options.output))  # before the download
    cached = fetch_style(address)
    from stylenet.models.style_file import read_card

    read_card(cached)
    target = style_target(options.output, Path("checkpoints") / f"{style_name(cached)}{SUFFIX}")
    check_writable(target)
    with atomic_write(target) as temporary:
        shutil.copyfile(cached, temporary)
    print(f"{printable(target)}: {replace(address, revision=commit_of(cached, address))}")
    return 0


def commit_of(cached: Path, address: HubAddress) -> str:
    """The commit that a file in the hub's cache is of: `snapshots/COMMIT/FILE`."""
    return cached.parents[address.file.count("/")].name
