"""tools/average_networks.py: the mean of two networks' weights."""

import subprocess
import sys
from pathlib import Path

import torch

from stylenet.models.network import NetworkSettings
from stylenet.models.style_file import Card, read_style, save_style
from stylenet.models.transformer_net import TransformerNet

TOOL = Path(__file__).parents[2] / "tools" / "average_networks.py"
OLD, NEW = NetworkSettings(width=2, blocks=1), NetworkSettings(width=2, blocks=1, waves=3)


def averaged(folder: Path, old: NetworkSettings) -> "subprocess.CompletedProcess[str]":
    torch.manual_seed(0)
    facts = {"painting": {"title": "Night"}, "figures": [], "training": {"steps": 2}}
    save_style(folder / "new.safetensors", TransformerNet(NEW), Card("night", NEW, facts))
    save_style(folder / "old.safetensors", TransformerNet(old), Card("night", old, {}))
    command = [
        sys.executable,
        str(TOOL),
        "new.safetensors",
        "old.safetensors",
        "-o",
        "mean.safetensors",
        "--share",
        "0.25",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_mean_has_a_share_of_the_new_weights_and_a_line_on_its_card(tmp_path: Path) -> None:
    assert averaged(tmp_path, OLD).returncode == 0
    (new, _), (old, _), (mean, card) = (read_style(tmp_path / f"{name}.safetensors") for name in ("new", "old", "mean"))
    before = old.state_dict()
    for name, value in new.state_dict().items():
        wanted = 0.25 * value + 0.75 * before.get(name, torch.zeros_like(value))
        torch.testing.assert_close(mean.state_dict()[name], wanted, rtol=1e-3, atol=1e-3)
    assert card.facts["mean"]["share"] == 0.25
    assert card.facts["mean"]["with"] == "old"
    assert "figures" not in card.facts


def test_networks_of_different_shapes_are_one_line(tmp_path: Path) -> None:
    done = averaged(tmp_path, NetworkSettings(width=4, blocks=1))
    assert done.returncode == 1
    assert done.stderr == "average_networks.py: these networks have different shapes\n"
