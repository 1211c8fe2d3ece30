"""The mean of a network's weights and those of the network it was trained from (Wortsman et al. 2022, WiSE-FT).

    python tools/average_networks.py NEW.safetensors OLD.safetensors -o OUT.safetensors --share 0.5

A network that was trained from another one can be averaged with it. With half of each, a photo stays as legible as with
the old network and has most of the new one's strokes. Weights that the old network lacks count as 0. The card is the
new network's, with a line about the mean; the weights are stored as fp16.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from stylenet.disk import file_sha256
from stylenet.errors import UserError
from stylenet.models.network import StyleNetwork
from stylenet.models.style_file import read_style, save_style


@torch.no_grad()
def average(new: StyleNetwork, old: StyleNetwork, share: float) -> None:
    """Makes `new` the mean, `share` of it new. Raises `UserError` for networks of different shapes."""
    before = old.state_dict()
    for name, value in new.state_dict().items():
        other = before.get(name, torch.zeros_like(value))
        if other.shape != value.shape or (name not in before and "weight" not in name):
            raise UserError("these networks have different shapes")
        value.lerp_(other, 1 - share)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", type=Path)
    parser.add_argument("old", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the new network, 0 to 1; default: 0.5")
    chosen = parser.parse_args()
    try:
        network, card = read_style(chosen.new)
        average(network, read_style(chosen.old)[0], chosen.share)
    except UserError as error:
        print(f"average_networks.py: {error}", file=sys.stderr)
        return 1
    mean = {"share": chosen.share, "with": chosen.old.stem, "sha256": file_sha256(chosen.old)}
    facts = {name: value for name, value in card.facts.items() if name not in ("figures", "held_out")}
    save_style(chosen.output, network.half(), replace(card, facts={**facts, "mean": mean}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
