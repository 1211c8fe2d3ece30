"""Weights in PyTorch's own kind of file, a pickle, read so that an untrusted one can do no harm.

`weights_only` keeps code out, but bounds nothing: 300 bytes of pickle can ask for a text to be doubled thirty times, a
zip can unpack to a thousand times its size, and a tensor can be one number repeated without end. So a file may name
only what a state dict is made of, and must hold what it promises: reading it takes little more than its own size.
"""

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

NAMES = frozenset(
    {"collections OrderedDict"}
    | {f"torch._utils _rebuild_{kind}" for kind in ("tensor", "tensor_v2", "parameter")}
    | {f"torch {kind}Storage" for kind in ("Float", "Half", "BFloat16", "Double", "Long")}
)
MAXIMUM_PICKLE = 1_000_000  # bytes of pickle, the tensors' own numbers not counted; VGG19's has 3,000
PICKLES = 5  # at the head of a file that is no zip, as PyTorch before 1.6 wrote them

File = io.BytesIO | io.BufferedReader


def read_state_dict(file: Path | io.BytesIO) -> dict[str, Tensor]:
    """The tensors that `torch.save` wrote, by their names.

    Raises `ValueError`, in one line, for any other content; `OSError` for a file that cannot be opened.
    """
    with file.open("rb") if isinstance(file, Path) else file as opened:
        try:
            return _read(opened)
        except MemoryError:
            raise
        except Exception as error:  # a damaged pickle can raise anything, and torch's advice is to trust it
            wanted = "a PyTorch state dict that loads with weights_only=True"
            raise ValueError(f"wanted {wanted}, and this is another kind of file or a damaged one") from error


def _read(file: File) -> dict[str, Tensor]:
    size = file.seek(0, io.SEEK_END)
    for pickled in _pickles(file, size):
        _check_names(pickled)
    file.seek(0)
    state = torch.load(file, map_location="cpu", weights_only=True)
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if sum(tensor.nbytes for tensor in tensors.values()) > size:
        raise ValueError("more numbers than the file holds")
    return tensors


def _pickles(file: File, size: int) -> Iterator[File]:
    """The pickles in a file, before the numbers themselves."""
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":  # as PyTorch tells them apart
        file.seek(0)
        yield from [io.BytesIO(file.read(MAXIMUM_PICKLE))] * PICKLES
        return
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > size:
            raise ValueError("unpacks to more than the file holds")
        for entry in archive.infolist():
            if entry.filename.lower().endswith(".pkl"):  # torch finds DATA.PKL too
                yield io.BytesIO(archive.open(entry).read(MAXIMUM_PICKLE))


def _check_names(pickled: File) -> None:
    """Goes through one pickle without running it."""
    for code, argument, _ in pickletools.genops(pickled):
        if code.name in ("GLOBAL", "INST", "STACK_GLOBAL") and argument not in NAMES:
            raise ValueError(f"{argument} is nothing that a state dict is made of")
