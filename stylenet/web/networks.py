"""The networks of a page: ONNX files for RGBA images, each with a line in `networks.json` and a picture."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from stylenet.disk import shipped_painting_of
from stylenet.export.onnx import export_onnx, minimum_side
from stylenet.models.catalog import find_reference
from stylenet.models.loading import load_single_style
from stylenet.models.style_file import Card

FOLDER = "networks"
LIST = "networks.json"
THUMBNAIL_SIDE = 96  # pixels


def add_network(folder: Path, style: str | os.PathLike[str]) -> None:
    """Exports a style file into the page's folder, with its description and, where it is shipped, its painting."""
    network, card = load_single_style(style)
    reference = find_reference(style)
    target = folder / FOLDER / f"{reference.name}.onnx"
    export_onnx(network, card, target, channels=4)
    target.with_suffix(".jpg").unlink(missing_ok=True)  # of a network that had this name before
    if painting := shipped_painting_of(card.painting_sha256):
        thumbnail(painting, target.with_suffix(".jpg"))
    text = json.dumps(description(card, target, minimum_side(network)), ensure_ascii=False)
    target.with_suffix(".json").write_text(text, encoding="utf-8")


def write_list(folder: Path) -> None:
    """Moves the descriptions of all networks in the folder into `networks.json`, the smallest network first."""
    networks = sorted((folder / FOLDER).glob("*.onnx"), key=lambda path: (path.stat().st_size, path.name))
    descriptions = [path.with_suffix(".json") for path in networks]
    entries = [json.loads(path.read_text(encoding="utf-8")) for path in descriptions]
    (folder / LIST).write_text(json.dumps(entries, ensure_ascii=False, indent=1), encoding="utf-8")
    for path in descriptions:
        path.unlink()


def description(card: Card, network: Path, minimum: int) -> dict[str, Any]:
    """The network's line in the list; `minimum` is the least side of an image in pixels."""
    painting = card.facts.get("painting")
    facts = painting if isinstance(painting, dict) else {}
    return {
        "key": network.stem,
        "title": str(facts.get("title") or network.stem),
        "about": f"{network.stem}, {network.stat().st_size / 1e6:.1f} MB",
        "minimum": minimum,
        "source": f"{FOLDER}/{quote(network.name)}",  # URLs
        "thumbnail": f"{FOLDER}/{quote(network.stem)}.jpg" if network.with_suffix(".jpg").exists() else None,
    }


def thumbnail(painting: Path, target: Path) -> None:
    """A square from the middle of the painting."""
    with Image.open(painting) as image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.convert("RGB").crop((left, top, left + side, top + side))
    square.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS).save(target, quality=80)
