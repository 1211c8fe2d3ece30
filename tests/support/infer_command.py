"""`infer.py` as a user starts it, and files for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
Done = tuple[int, list[str], list[str]]  # exit code, lines of output, lines of complaint
Run = Callable[..., Done]


def picture(path: Path, size: tuple[int, int] = (30, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, "PNG")
    return path


def names(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and "checkpoints" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in found)
