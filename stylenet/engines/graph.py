"""The ONNX graph of a network for the engines: exported once, which takes seconds, then read from the cache."""

import hashlib
from contextlib import suppress
from pathlib import Path

import torch

from stylenet import export, models
from stylenet.disk import atomic_write, cache_folder, one_at_a_time
from stylenet.models.network import StyleNetwork

FOLDER = "engines"  # of the cache
KEPT = 64  # graphs in it, of 0.2 to 4 MB each
DIGEST = 32  # bytes of a SHA-256


def network_graph(network: StyleNetwork) -> bytes:
    """The graph of `stylenet.export.onnx.float_model`. Raises `UserError` when it must be made and packages miss."""
    with suppress(OSError):  # without a cache that can be written, it is exported each time
        path = cache_folder() / FOLDER / f"{graph_key(network)}.onnx"
        with one_at_a_time(path):
            if (graph := kept_graph(path)) is not None:
                path.touch()  # by which those not used for longest are known
                return graph
            graph = _exported(network)
            with atomic_write(path) as temporary:
                temporary.write_bytes(hashlib.sha256(graph).digest() + graph)
            remove_unused(path.parent)
            return graph
    return _exported(network)


def kept_graph(path: Path) -> bytes | None:
    """A graph in the cache, behind its SHA-256. None where there is none, or a damaged one."""
    if not path.exists():
        return None
    data = path.read_bytes()
    digest, graph = data[:DIGEST], data[DIGEST:]
    return graph if hashlib.sha256(graph).digest() == digest else None


def remove_unused(folder: Path) -> None:
    """Removes the graphs beyond `KEPT` that were not used for longest, with their locks."""
    used = sorted((path.stat().st_mtime, path) for path in folder.glob("*.onnx"))
    for _, path in used[:-KEPT]:
        for file in (path, path.with_name(f"{path.name}.lock")):
            with suppress(OSError):  # gone meanwhile, or in use
                file.unlink()


def _exported(network: StyleNetwork) -> bytes:
    from stylenet.export.onnx import float_model  # takes seconds to import

    data: bytes = float_model(network).SerializeToString()
    return data


def graph_key(network: StyleNetwork) -> str:
    """A hash of all that a graph depends on: the weights, the code of network and export, PyTorch's version."""
    digest = hashlib.sha256(f"{torch.__version__} {network.settings}".encode())
    for package in (models, export):
        for file in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(file.read_bytes())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
