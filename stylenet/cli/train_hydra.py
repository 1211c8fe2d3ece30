"""Hydra's own command line for `stylenet train`: `--cfg job`, sweepers other than the plain one, and so on."""

import os
import sys
from typing import Any

from stylenet.cli.train_arguments import is_setting, name_of
from stylenet.cli.train_compose import CONFIGS, register_schema, uses_gpu
from stylenet.cli.train_run import run_once
from stylenet.errors import UserError


def by_hydra(arguments: list[str]) -> int:
    """Hydra's own command line: `--cfg job`, sweepers other than the plain one, …"""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing eight lines and exiting
    import hydra
    from hydra.core.hydra_config import HydraConfig

    from stylenet.cli import sweep_callback
    from stylenet.cli.sweep_record import all_failed, finish_search

    register_schema()
    process, codes = sys.argv, [0]
    sweep_callback.begun.clear()

    @hydra.main(version_base="1.3", config_path=CONFIGS, config_name="train")
    def job(_: Any) -> None:
        sys.argv = process  # with which Lightning starts the other processes of a run on several devices
        codes.append(
            run_once(lambda overrides: hydra.compose("train", list(overrides)), HydraConfig.get().overrides.task)
        )
        end_if_stopped(codes[-1])

    sys.argv = [process[0], *add_budget(arguments)]  # for Hydra
    try:
        job()
    except SystemExit as ended:  # a run was stopped, and the search with it
        codes.append(stopped_code(ended))
    except sweep_callback.RefusedError as refused:
        raise UserError(str(refused)) from refused
    except ValueError:  # Optuna looks for its best trial
        if not any(all_failed(folder) for folder in sweep_callback.begun):
            raise
    finally:
        sys.argv = process
    return max([*codes, *map(finish_search, sweep_callback.begun)])


def end_if_stopped(code: int) -> None:
    """Ends a search whose run was stopped by a signal. Hydra lets a `SystemExit` pass, and the sweeper gets no figure.

    Raises `SystemExit`.
    """
    if code > 128:
        raise SystemExit(code)


def stopped_code(ended: SystemExit) -> int:
    """The exit code of a run that a signal stopped. Raises whatever else ended the process."""
    if not (isinstance(ended.code, int) and ended.code > 128):
        raise ended
    return ended.code


def add_budget(arguments: list[str]) -> list[str]:
    """Adds the budget that suits the device where settings are printed, unless one is given; beside other settings."""
    if "--cfg" not in arguments or any(name_of(argument) == "budget" for argument in arguments):
        return arguments
    budget = "budget=gpu" if uses_gpu("cpu" if "++trainer.accelerator=cpu" in arguments else "auto") else "budget=cpu"
    return with_setting(arguments, budget)


def with_setting(arguments: list[str], setting: str) -> list[str]:
    """Adds a setting next to the others: Hydra takes no settings on both sides of an option."""
    places = [place for place, argument in enumerate(arguments) if is_setting(argument)] or [len(arguments)]
    return [*arguments[: places[0]], setting, *arguments[places[0] :]]
