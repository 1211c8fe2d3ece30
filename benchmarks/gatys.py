"""The curves of the Gatys-equivalent as one plot (Johnson et al., figure 5), from what `evaluate` prints:

stylenet evaluate starry --gatys 60 --gatys-photos 4 | python benchmarks/gatys.py gatys.png
"""

import json
import sys
from typing import Any

import matplotlib.pyplot as plt


def draw(figures: dict[str, Any], file: str) -> None:
    """Mean loss by step for each start and optimizer; dots where it first equals the network's."""
    equivalents = figures["gatys"]
    plot, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, found in equivalents.items():
        steps = range(1, 1 + len(found["curve"]))
        (line,) = axes.plot(steps, found["curve"], label=f"{name}, {told(found)}")
        if found["steps"]:
            axes.plot(found["steps"], found["curve"][found["steps"] - 1], "o", color=line.get_color())
    axes.axhline(found["loss"], color="black", linestyle="--", label=f"the network {figures['name']}, one pass")
    axes.set(xlabel="evaluations of loss and gradient", ylabel="mean weighted loss", yscale="log")
    axes.legend()
    plot.savefig(file, dpi=110)


def told(found: dict[str, Any]) -> str:
    return f"{found['steps']} steps" if found["steps"] else f"more than {len(found['curve'])} steps"


if __name__ == "__main__":
    draw(json.loads(sys.stdin.readline()), sys.argv[1])
