"""A run on several devices: one process each, started by Lightning. Rank 0 coordinates; the other ranks only train.

Each cuts its own part of every batch and draws its own part of the noise, so that all of them together do what one
process would do with the whole batch.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

FOLDER, CHECKPOINT = "STYLENET_RUN_FOLDER", "STYLENET_CHECKPOINT"
# What Lightning leaves in the environment, from which it concludes that the other processes are already running.
LIGHTNINGS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


@contextmanager
def one_run() -> Iterator[None]:
    """Keeps what a run tells its processes from reaching the next run of this process.

    Without it, the processes of a sweep's second run would be those of its first, which train its painting.
    """
    names = (FOLDER, CHECKPOINT, *LIGHTNINGS)
    before = {name: os.environ.get(name) for name in names}
    was_initialized = dist.is_initialized()
    try:
        yield
    finally:
        if dist.is_initialized() and not was_initialized:
            dist.destroy_process_group()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def export_worker_context(folder: Path, checkpoint: Path | None) -> None:
    """Puts what the other ranks need into the environment with which they are started."""
    os.environ |= {FOLDER: str(folder.absolute()), CHECKPOINT: str(checkpoint.absolute() if checkpoint else "")}


def worker_context() -> tuple[Path, Path | None] | None:
    """The run folder and the checkpoint of the run that this process was started to join; None at rank 0."""
    if int(os.environ.get("LOCAL_RANK", 0)) == 0 or FOLDER not in os.environ:
        return None
    checkpoint = os.environ[CHECKPOINT]
    return Path(os.environ[FOLDER]), Path(checkpoint) if checkpoint else None


def rank_and_world() -> tuple[int, int]:
    """The number of the process, from 0 on, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def any_rank(flag: Tensor) -> Tensor:
    """Whether it is true (not 0) in any of the processes; all of them must ask."""
    if dist.is_initialized():
        flag = flag.float()
        dist.all_reduce(flag, dist.ReduceOp.MAX)
    return flag.bool()


def mean_over_ranks(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of each scalar over all processes, by one message; all of them must ask."""
    if not dist.is_initialized() or not values:
        return values
    stacked = torch.stack([value.float() for value in values.values()])
    dist.all_reduce(stacked)
    return dict(zip(values, stacked / dist.get_world_size(), strict=True))
