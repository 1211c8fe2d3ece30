"""A run on several devices: one process each, started by Lightning. The first leads; the others learn along.

Each cuts its own part of every batch and draws its own part of the noise, so that all of them together do what one
process would do with the whole batch.
"""

import os
from pathlib import Path

import torch.distributed as dist
from torch import Tensor

FOLDER, CHECKPOINT = "STYLENET_RUN_FOLDER", "STYLENET_CHECKPOINT"


def tell_followers(folder: Path, checkpoint: Path | None) -> None:
    """What they need to know: they are started with this process's environment."""
    os.environ |= {FOLDER: str(folder), CHECKPOINT: str(checkpoint or "")}


def followed() -> tuple[Path, Path | None] | None:
    """The run folder and the checkpoint of the run that this process was started to join; nothing in its leader."""
    if int(os.environ.get("LOCAL_RANK", 0)) == 0 or FOLDER not in os.environ:
        return None
    checkpoint = os.environ[CHECKPOINT]
    return Path(os.environ[FOLDER]), Path(checkpoint) if checkpoint else None


def rank_and_world() -> tuple[int, int]:
    """The number of the process, from 0 on, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def anywhere(flag: Tensor) -> Tensor:
    """Whether it is true (not 0) in any of the processes; all of them must ask."""
    if dist.is_initialized():
        flag = flag.float()
        dist.all_reduce(flag, dist.ReduceOp.MAX)
    return flag.bool()
