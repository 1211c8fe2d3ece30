"""The loss curves of finished runs as one plot, and their held-out losses as a table:

python benchmarks/curves.py curves.png LABEL=outputs/starry/2026-11-21_12-00-00 LABEL=…
"""

import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from stylenet.models.limits import SUFFIX
from stylenet.models.style_file import read_card

SPAN = 15  # logged values in a moving mean: single photos differ more than the runs do


def logged(folder: Path) -> tuple[list[int], list[float]]:
    """Steps, and the weighted loss there without the stability term, which runs of other versions log otherwise."""
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["loss/total"]]
    terms = ("loss/content", "loss/style", "loss/tv")
    return [int(row["step"]) for row in rows], [sum(float(row[term]) for term in terms) for row in rows]


def moving_mean(values: list[float]) -> list[float]:
    windows = (values[max(0, end - SPAN) : end] for end in range(1, 1 + len(values)))
    return [sum(window) / len(window) for window in windows]


def held_out(folder: Path) -> str:
    (style_file,) = folder.glob(f"*{SUFFIX}")
    found = read_card(style_file).facts["held_out"]
    return f"{found['content']:.3f} | {found['style']:.3f}" if found else "– | –"


def main() -> None:
    if {"-h", "--help"} & set(sys.argv) or len(sys.argv) < 3:
        sys.exit(__doc__)
    target, *runs = sys.argv[1:]
    plot, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    print("| run | steps | held-out content | held-out style |\n|---|---|---|---|")
    for label, _, folder in (run.partition("=") for run in runs):
        steps, losses = logged(Path(folder))
        axes.plot(steps, moving_mean(losses), label=label)
        print(f"| {label} | {steps[-1] + 1} | {held_out(Path(folder))} |")
    axes.set(xlabel="steps", ylabel="weighted loss, moving mean", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend()
    plot.savefig(target, dpi=110)


if __name__ == "__main__":
    main()
