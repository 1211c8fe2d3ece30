"""The arguments of Lightning's Trainer: stylenet's own, and what the settings put in their place."""

from collections.abc import Mapping
from typing import Any

from stylenet.training.budget import GRADIENT_CLIP, validation_interval


def trainer_arguments(chosen: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """All arguments that do not depend on a run's folder; `chosen` are those of the settings."""
    usual = {
        "max_steps": steps,
        "gradient_clip_val": GRADIENT_CLIP,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "check_val_every_n_epoch": None,  # an epoch has no end
        "val_check_interval": validation_interval(steps) * int(chosen.get("accumulate_grad_batches") or 1),
        "use_distributed_sampler": False,  # every rank validates on all photos
    }
    return {**usual, **chosen}
