"""Held-out loss after runs of several lengths, from a trained network and from random weights, as a table and a plot.
Runs that are in the folder already are not repeated.

python benchmarks/bases.py outputs/bases bases.png mada thangka --steps 100 400 -- data=folder data.path=photos
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
from paintings import split, trained

from stylenet.data.painting import STYLES
from stylenet.losses.settings import LossSettings
from stylenet.models.style_file import read_card

STARTS = {"auto": "from a trained network", "null": "from random weights"}


def held_out(style: Path) -> float:
    """Content and style on the held-out photos, as the training weighs them."""
    facts = read_card(style).facts
    found, loss = facts["held_out"], facts["loss"]
    return float(sum(LossSettings.from_card(loss).weights[name] * found[name] for name in ("content", "style")))


def losses(folder: Path, painting: Path, start: str, steps: list[int], settings: list[str]) -> list[float]:
    """The loss of a run of each length; a longer run gives no shorter one, as the learning rate decays to 0 in each."""
    found = []
    for number in steps:
        place = folder / f"{start}-{number}"
        place.mkdir(parents=True, exist_ok=True)
        found.append(held_out(trained(place, painting, [f"init={start}", f"steps={number}", *settings])))
    return found


def main() -> None:
    typed, settings = split(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("plot", type=Path)
    parser.add_argument("paintings", nargs="+", help="names in configs/style/ that the base has not seen")
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 400, 1600])
    chosen = parser.parse_args(typed)
    plot, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    print(f"| painting | start | {' | '.join(f'{steps} steps' for steps in chosen.steps)} |")
    print(f"|{'---|' * (2 + len(chosen.steps))}", flush=True)
    for name in chosen.paintings:
        for start, label in STARTS.items():
            found = losses(chosen.folder, STYLES / f"{name}.jpg", start, chosen.steps, settings)
            print(f"| {name} | {label} | {' | '.join(f'{loss:.3f}' for loss in found)} |", flush=True)
            axes.plot(chosen.steps, found, "-o" if start == "auto" else "--o", label=f"{name}, {label}")
    axes.set(xlabel="steps of the run", ylabel="weighted loss on held-out photos", xscale="log", yscale="log")
    axes.legend()
    plot.savefig(chosen.plot, dpi=110)


if __name__ == "__main__":
    main()
