"""Run folders as a training leaves them, made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from stylenet.evaluation.contact_sheet import contact_sheet, save_sheet
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

SMALL = NetworkSettings(width=2, blocks=1)


def make_run(folder: Path, weight: float = 12.0, sheets: int = 3, side: int = 48, finished: bool = True) -> Path:
    """A run of 100 steps with a metrics file, contact sheets and, if it finished, a style file with its figures."""
    folder.mkdir(parents=True)
    name = folder.parent.name
    settings: dict[str, Any] = {"style": {"image": f"{name}.jpg"}, "loss": {"style_weight": weight}, "seed": 0}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "resolved.json").write_text(json.dumps({"steps": 100}))
    (folder / "hparams.yaml").write_text(yaml.safe_dump({"versions": {"device": "a test's machine"}}))
    rows = ["held_out/style,loss/total,speed/seconds,step"]
    rows += [f",{weight / (1 + step):.4f},,{step}" for step in range(0, 100, 5)]
    rows += [f"{weight / 100:.4f},,90.0,100"] if finished else []
    (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
    for step in range(1, sheets + 1):
        save_sheet(sheet(step, side), folder / "sheets" / f"{step:06d}.jpg")
    if finished:
        facts = {"held_out": {"style": weight / 100}, "training": {"steps": 100}}
        save_style(folder / f"{name}.safetensors", initialize(TransformerNet(SMALL), seed=0), Card(name, SMALL, facts))
    return folder


def sheet(seed: int, side: int) -> torch.Tensor:
    """Four photos of noise, in which a JPEG saves little, and a wide painting."""
    generator = torch.Generator().manual_seed(seed)
    photos = torch.rand(4, 3, side, side, generator=generator) * 0.6
    painting = torch.full((1, 3, side, 2 * side), 0.3)
    return contact_sheet(painting, photos, photos.flip(0) * 0.5)


def save_picture(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
