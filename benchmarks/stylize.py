"""Milliseconds per image beside the usual forward pass: `python benchmarks/stylize.py 512 1920x1080 --compile`.

The baseline, "plain", is the network of pytorch/examples as its users run it: eager, fp32, contiguous (`plain.py`).
Ours is what `Stylizer` does by default, from a tensor of floats on the device to the same, with the full network and
the smaller ones; once from a NumPy array of bytes to another, which on a GPU includes the copies from and to the host.
On a CPU also in the other engines that are installed (`pip install -e '.[openvino]'`). All are warm, and take turns.
"""

import sys
from functools import partial

import torch
from measuring import in_turn, machine, matrix_rate, row
from plain import plain_network
from torch.utils.flop_counter import FlopCounterMode

from stylenet.device import peak_memory, pick_device
from stylenet.engines.settings import ONNX, OPENVINO
from stylenet.errors import UserError
from stylenet.inference.stylizer import Stylizer
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

DEVICE = pick_device()
SIZES = ("256", "512", "1024")
FORMS = {
    "stylenet": NetworkSettings(),
    "stylenet, network=small": NetworkSettings(width=16, fold=2),
    "stylenet, network=tiny": NetworkSettings(width=8, fold=2),
}


def stylizer(form: NetworkSettings, compile_: bool = False) -> Stylizer:
    return Stylizer(initialize(TransformerNet(form), 0), Card("bench", form), DEVICE.type, compile=compile_)


def with_engines(form: NetworkSettings) -> dict[str, Stylizer]:
    """Our network in the other engines that are installed; on a GPU in none, as they run on the CPU."""
    found = {}
    for engine in (ONNX, OPENVINO) if DEVICE.type == "cpu" else ():
        try:
            dtypes = [None] if engine == ONNX else [torch.float32, None]
            for dtype in dtypes:
                each = Stylizer(initialize(TransformerNet(form), 0), Card("bench", form), dtype=dtype, engine=engine)
                found[f"stylenet, --engine {engine}{'' if dtype is None else ', fp32'}"] = each
        except UserError as error:
            print(f"no row: {error}", file=sys.stderr)
    return found


@torch.inference_mode()
def bench(size: str, rate: float, compile_: bool) -> list[str]:
    width, _, height = size.partition("x")
    photo = torch.rand(1, 3, int(height or width), int(width), device=DEVICE)
    network = plain_network().to(DEVICE)
    with FlopCounterMode(display=False) as counter:
        network(photo)
    stylizers = {name: stylizer(form) for name, form in FORMS.items()}
    if compile_:
        stylizers["stylenet, compiled"] = stylizer(FORMS["stylenet"], True)
    stylizers |= with_engines(FORMS["stylenet"])
    works = {"plain": lambda: network(photo)}
    works |= {name: partial(each.stylize, photo) for name, each in stylizers.items()}
    frame = (photo[0].permute(1, 2, 0) * 255).byte().cpu().numpy()
    works["stylenet, from NumPy to NumPy"] = partial(stylizers["stylenet"].stylize, frame)
    times = in_turn(works, rounds=7)
    flops = {name: None if "network=" in name else counter.get_total_flops() for name in times}
    return [row(f"{size} px, {name}", each, times["plain"], 1, flops[name], rate) for name, each in times.items()]


def main() -> None:
    rate = matrix_rate(torch.bfloat16)
    print(machine())
    print(f"matrix product: bf16 {rate / 1e12:.2f}, fp32 {matrix_rate(torch.float32) / 1e12:.2f} TFLOP/s\n")
    print("| | ms, median | spread | times as fast | of the bf16 rate |\n|---|---|---|---|---|")
    for size in [text for text in sys.argv[1:] if text[0].isdigit()] or SIZES:
        print("\n".join(bench(size, rate, "--compile" in sys.argv)), flush=True)
    print(f"\npeak memory {peak_memory(DEVICE):.2f} GiB")


if __name__ == "__main__":
    main()
