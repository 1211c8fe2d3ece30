"""The settings of a run, which Hydra composes from `configs/` and the command line."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from stylenet.disk import shipped_files
from stylenet.errors import UserError

CONFIGS = str(shipped_files() / "configs")


@contextmanager
def settings_errors() -> Iterator[None]:
    """Makes one line of what Hydra and the disk refuse. Raises `UserError`."""
    from stylenet.cli.train_arguments import SETTINGS_ERRORS, settings_error_line
    from stylenet.training.run_folder import disk_errors

    try:
        with disk_errors():
            yield
    except SETTINGS_ERRORS as error:
        raise UserError(settings_error_line(error)) from error


@contextmanager
def hydra_configs() -> Iterator[Callable[[Sequence[str]], Any]]:
    """Yields the function that composes settings from `configs/` and overrides."""
    from hydra import compose, initialize_config_dir

    register_schema()
    with initialize_config_dir(CONFIGS, version_base="1.3"):
        yield lambda overrides: compose("train", list(overrides))


def register_schema() -> None:
    """Gives Hydra the names and types of all settings."""
    from hydra.core.config_store import ConfigStore

    from stylenet.training.settings import schema

    ConfigStore.instance().store("settings", schema())


def composed_settings(arguments: Sequence[str]) -> dict[str, Any]:
    """The settings that these arguments give a run on this machine, as plain values. Raises `UserError`."""
    from omegaconf import OmegaConf

    from stylenet.cli.train_arguments import in_grammar

    with settings_errors(), hydra_configs() as compose:
        values: Any = OmegaConf.to_container(for_device(compose, in_grammar(arguments)))
    return dict(values)


def for_device(compose: Callable[[Sequence[str]], Any], overrides: Sequence[str]) -> Any:
    """The settings with the budget that suits the device, unless one is given."""
    from stylenet.cli.train_arguments import name_of

    composed = compose(overrides)
    given = any(name_of(override) == "budget" for override in overrides)
    if given or not uses_gpu(composed.trainer.get("accelerator", "auto")):
        return composed
    return compose(["budget=gpu", *overrides])


def uses_gpu(accelerator: str) -> bool:
    """Whether a run trains on a GPU."""
    import torch

    return accelerator != "cpu" and (torch.cuda.is_available() or torch.backends.mps.is_available())
