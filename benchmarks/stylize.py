"""Milliseconds a picture beside the plain loop's forward pass: `python benchmarks/stylize.py [SIDE...]`.

The plain way is PyTorch as most examples have it: eager, fp32, contiguous. Ours is what `Stylizer` does by default,
from a tensor of floats on the device to the same. Both are warm, and take turns.
"""

import sys

import torch
from measuring import in_turn, machine, matrix_rate, row
from torch.utils.flop_counter import FlopCounterMode

from stylenet.device import peak_memory, pick_device
from stylenet.network import NetworkSettings, TransformerNet, initialise
from stylenet.style_file import Card
from stylenet.stylizer import Stylizer

DEVICE = pick_device()
SIDES = (256, 512, 1024)


@torch.inference_mode()
def bench(side: int, rate: float) -> list[str]:
    network = initialise(TransformerNet(), 0).to(DEVICE).eval()
    stylizer = Stylizer(initialise(TransformerNet(), 0), Card("bench", NetworkSettings(), {}), DEVICE.type)
    photo = torch.rand(1, 3, side, side, device=DEVICE)
    with FlopCounterMode(display=False) as counter:
        network(photo)
    flops = counter.get_total_flops()
    times = in_turn({"plain": lambda: network(photo), "stylenet": lambda: stylizer.stylize(photo)}, rounds=7)
    return [row(f"{side} px, {name}", seconds, times["plain"], 1, flops, rate) for name, seconds in times.items()]


def main() -> None:
    rate = matrix_rate(torch.bfloat16)
    print(machine())
    print(f"matrix product: bf16 {rate / 1e12:.2f}, fp32 {matrix_rate(torch.float32) / 1e12:.2f} TFLOP/s\n")
    print("| | ms, median | spread | times as fast | of the bf16 rate |\n|---|---|---|---|---|")
    for side in [int(text) for text in sys.argv[1:]] or SIDES:
        print("\n".join(bench(side, rate)), flush=True)
    print(f"\npeak memory {peak_memory(DEVICE):.2f} GiB")


if __name__ == "__main__":
    main()
