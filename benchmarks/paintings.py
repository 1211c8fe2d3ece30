"""One setting for every painting: trains each at the defaults and prints a row of figures for it. Runs that are in the
folder already are not repeated.

python benchmarks/paintings.py outputs/paintings --judge torchvision
python benchmarks/paintings.py outputs/paintings my_painting.jpg -- minutes=10 loss_network.architecture=vgg16
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stylenet.data.painting import STYLES
from stylenet.disk import plain_name
from stylenet.training.run_folder import resolved_file

PATHS = ("data.path", "init", "loss_network.weights", "style.image")  # settings that name files
COLUMNS = ("content", "style", "style_baseline", "style_ratio", "style_ratio_vgg16", "ssim", "shift", "noise")


class FailedError(Exception):
    """A command that failed."""


def call(folder: Path, *command: str) -> str:
    """Runs a command of this project in the folder; returns what it printed."""
    done = subprocess.run([sys.executable, *command], cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise FailedError(f"{' '.join(command)} failed")
    return done.stdout


def trained(folder: Path, painting: Path, settings: list[str]) -> Path:
    """The style file of a painting, trained if it is missing. A run that was stopped is resumed."""
    name = plain_name(painting.name)
    style = folder / "checkpoints" / f"{name}.safetensors"
    begun = any(resolved_file(run).exists() for run in folder.glob(f"outputs/{name}/*"))
    named = [f"style={painting.stem}"] if painting.parent == STYLES else [f"style.image={painting}"]
    if not style.exists():
        call(folder, "-m", "stylenet", "train", *named, *(["resume=auto"] if begun else settings), "replace=true")
    return style


def figures(folder: Path, style: Path, painting: Path, more: list[str]) -> dict[str, Any]:
    printed = call(folder, "-m", "stylenet.evaluate", str(style), "--painting", str(painting), *more)
    return dict(json.loads(printed))


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments before `--`, and the settings behind it, for a training in another folder."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], [absolute(setting) for setting in arguments[place + 1 :]]


def absolute(text: str) -> str:
    """A path, alone or in `SETTING=PATH`, as any folder sees it; everything else as it is."""
    name, sign, value = text.partition("=") if text.partition("=")[0] in PATHS else ("", "", text)
    path = Path(value).expanduser()
    return f"{name}{sign}{path.resolve()}" if path.exists() else text


def main() -> int:
    typed, settings = split(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("paintings", type=Path, nargs="*", default=sorted(STYLES.glob("*.jpg")))
    parser.add_argument("--judge", help="the judge's VGG16: torchvision, or a file with torchvision's weights")
    parser.add_argument(
        "--weights", default="auto", help="of the loss network, for judging: auto, torchvision, or a file"
    )
    chosen = parser.parse_args(typed)
    chosen.folder = chosen.folder.resolve()  # trainings and evaluations run inside it
    chosen.folder.mkdir(parents=True, exist_ok=True)
    more = ["--weights", absolute(chosen.weights)] + (["--judge", absolute(chosen.judge)] if chosen.judge else [])
    failed = 0
    print(f"| painting | {' | '.join(COLUMNS)} | complaints |\n|{'---|' * (len(COLUMNS) + 2)}", flush=True)
    for painting in (path.resolve() for path in chosen.paintings):
        try:
            found = figures(chosen.folder, trained(chosen.folder, painting, settings), painting, more)
        except FailedError as error:  # the others have their turn
            failed = 1
            print(f"{painting.name}: {error}", file=sys.stderr)
            continue
        numbers = " | ".join(f"{found[name]:.3g}" if name in found else "" for name in COLUMNS)
        print(f"| {painting.stem} | {numbers} | {', '.join(found['complaints'])} |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
