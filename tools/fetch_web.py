"""Builds the browser page's large files: `python tools/fetch_web.py` writes `stylenet/web/built/`, which git ignores.

It has ONNX Runtime Web (from npm, checked by version and hash, gzipped), the small networks of `checkpoints/` as ONNX,
and an example photo. Needs `npm` and the extra `onnx`.
"""

import base64
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image

from stylenet.errors import UserError
from stylenet.models.catalog import single_styles
from stylenet.web.networks import add_network
from stylenet.web.site import BUILT, PACKAGE

RUNTIME = "onnxruntime-web@1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# With WebGPU, for browsers with WebAssembly promise integration; and WebAssembly alone, for the others.
FILES = {
    "ort.jspi.min.mjs": "ort.jspi.min.js",
    "ort-wasm-simd-threaded.jspi.mjs": "ort-wasm-simd-threaded.jspi.js",
    "ort-wasm-simd-threaded.jspi.wasm": "ort-wasm-simd-threaded.jspi.wasm.gz",
    "ort.wasm.min.mjs": "ort.wasm.min.js",
    "ort-wasm-simd-threaded.mjs": "ort-wasm-simd-threaded.js",
    "ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm.gz",
}  # .mjs becomes .js, which every web server sends as JavaScript
EXPORT = PACKAGE.parent / "export"
SAMPLE = PACKAGE.parent / "data/sample.parquet"
EXAMPLE = "neuschwanstein"  # CC0
SMALL = ("-small", "-tiny")


def main() -> int:
    """Builds files that are missing, or older than their network or what makes them; returns the exit code."""
    try:
        fetch_runtime(BUILT / "runtime")
        small = {name: path for name, path in single_styles().items() if name.endswith(SMALL)}
        remove_others(BUILT / "networks", set(small))
        for name, path in small.items():
            if is_older(BUILT / f"networks/{name}.json", path, PACKAGE / "networks.py", *EXPORT.glob("*.py")):
                add_network(BUILT, path)
    except UserError as error:
        print(f"fetch_web.py: error: {error}", file=sys.stderr)
        return 1
    (BUILT / "example.jpg").write_bytes(example_photo())
    print(f"{BUILT}: {sum(path.stat().st_size for path in BUILT.rglob('*.*')) / 1e6:.1f} MB")
    return 0


def is_older(made: Path, *sources: Path) -> bool:
    """Whether a file is missing, or older than one of its sources."""
    return not made.exists() or made.stat().st_mtime < max(source.stat().st_mtime for source in sources)


def remove_others(folder: Path, names: set[str]) -> None:
    """Removes networks that are no longer in `checkpoints/`: every page would go on to list them."""
    for path in folder.glob("*"):
        if path.stem not in names:
            path.unlink()


def fetch_runtime(folder: Path) -> None:
    """Writes the runtime's files, all or none."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        package = packed_runtime(Path(temporary))
        made = Path(temporary) / "runtime"
        made.mkdir()
        with tarfile.open(package) as archive:
            for source, target in FILES.items():
                content = archive.extractfile(f"package/dist/{source}").read()  # type: ignore[union-attr]
                packed = gzip.compress(content, mtime=0) if target.endswith(".gz") else content
                (made / target).write_bytes(packed)
        made.rename(folder)


def packed_runtime(folder: Path) -> Path:
    """Downloads the npm package. Raises `UserError` if the download fails or the hash differs."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("the browser page's runtime is downloaded by npm, which is not installed")
    command = [npm, "pack", "--silent", RUNTIME, "--pack-destination", str(folder)]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        raise UserError(f"npm pack {RUNTIME} failed")
    (package,) = folder.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != SHA512:
        raise UserError(f"{RUNTIME} has another hash than expected: sha512-{found}")
    return package


def example_photo() -> bytes:
    """A photo of the built-in sample that no network was trained on, as JPEG."""
    rows = parquet.read_table(SAMPLE, filters=[("title", "==", EXAMPLE)]).to_pylist()
    result = io.BytesIO()
    Image.open(io.BytesIO(rows[0]["image"]["bytes"])).convert("RGB").save(result, "JPEG", quality=85)
    return result.getvalue()


if __name__ == "__main__":
    sys.exit(main())
