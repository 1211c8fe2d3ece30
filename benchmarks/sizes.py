"""Time and memory by the size of the image: `python benchmarks/sizes.py [SIDE...]`; `--width 4` for a narrow network.

Each image has a process of its own, which makes noise of SIDE x SIDE, stylizes it as `infer.py` does, and writes the
result as a JPEG. Peak memory is that process's: Python, torch and both images are in it. The first line is the
baseline: 2048 x 2048 through the network as a whole, without a memory limit. The plot goes to
`benchmarks/sizes.png`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measuring import machine
from PIL import Image

from stylenet.device import pick_device
from stylenet.inference.stylizer import Stylizer
from stylenet.media.encoders import write_image
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

SIDES = [1024, 2048, 4096, 8192]
UNTILED = 2048
PLOT = Path(__file__).with_name("sizes.png")


@dataclass(frozen=True)
class Cost:
    """Time and memory of one image."""

    megapixels: float
    seconds: float
    gigabytes: float

    @property
    def rate(self) -> float:
        return self.seconds / self.megapixels


def noise(side: int) -> Image.Image:
    """Noise, made row by row so that it is in memory once."""
    image, generator = Image.new("RGB", (side, side)), np.random.default_rng(0)
    for first in range(0, side, 256):
        rows = generator.integers(0, 256, (min(256, side - first), side, 3), np.uint8)
        image.paste(Image.fromarray(rows), (0, first))
    return image


def measure(side: int, width: int, whole: bool) -> Cost:
    """Measures one image, after a small one that warms up the network."""
    settings = NetworkSettings(width=width)
    network = initialize(TransformerNet(settings), 0)
    stylizer = Stylizer(network, Card("sizes", settings), pick_device().type, memory=1 << 60 if whole else None)
    stylizer.stylize(noise(256))
    photo = noise(side)
    start = time.perf_counter()
    stylized = stylizer.stylize(photo)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder, "stylized.jpg"), stylized)
    return Cost(side**2 / 1e6, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def measured(side: int, width: int, whole: bool = False) -> Cost:
    """Measures one image in a process of its own."""
    command = [sys.executable, __file__, str(side), "--width", str(width), "--here", *["--whole"] * whole]
    return Cost(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def row(name: str, cost: Cost, untiled: Cost) -> str:
    times = f"{cost.seconds:.1f} | {cost.rate:.2f} | {cost.rate / untiled.rate:.2f}"
    return f"| {name} | {cost.megapixels:.1f} | {times} | {cost.gigabytes:.2f} |"


def plot(costs: list[Cost], untiled: Cost) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (time_axes, memory_axes) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    megapixels = [cost.megapixels for cost in costs]
    time_axes.loglog(megapixels, [cost.seconds for cost in costs], "o-", label="stylenet")
    linear = [untiled.rate * value for value in megapixels]
    time_axes.loglog(megapixels, linear, "--", color="gray", label=f"the rate of {UNTILED} x {UNTILED} as a whole")
    memory_axes.semilogx(megapixels, [cost.gigabytes for cost in costs], "o-")
    memory_axes.semilogx(untiled.megapixels, untiled.gigabytes, "x", color="gray")
    memory_axes.set_ylim(bottom=0)
    for axes, label in ((time_axes, "seconds"), (memory_axes, "peak memory, GB")):
        axes.set(xlabel="megapixels", ylabel=label)
        axes.grid(alpha=0.3)
    time_axes.legend()
    figure.savefig(PLOT, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="*", type=int, default=SIDES, metavar="SIDE")
    parser.add_argument("--width", type=int, default=NetworkSettings.width, help="of the network, in channels")
    parser.add_argument("--here", action="store_true", help="only measure SIDE, in this process, and print JSON")
    parser.add_argument("--whole", action="store_true", help="with --here: not in strips")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(asdict(measure(options.sides[0], options.width, options.whole))))
        return
    print(f"{machine()}\n\n| | MP | s | s a MP | times the first | peak GB |\n|---|---|---|---|---|---|")
    untiled = measured(UNTILED, options.width, whole=True)
    print(row(f"{UNTILED} x {UNTILED} as a whole", untiled, untiled), flush=True)
    costs = []
    for side in options.sides:
        costs.append(measured(side, options.width))
        print(row(f"{side} x {side}", costs[-1], untiled), flush=True)
    plot(costs, untiled)


if __name__ == "__main__":
    main()
