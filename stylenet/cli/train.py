"""`stylenet train`: trains a network on one painting. Hydra composes its settings from `configs/`."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from stylenet.cli.train_compose import hydra_configs, settings_errors
from stylenet.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains as the settings say; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(sys.stdout)])
    if int(os.environ.get("LOCAL_RANK") or 0):  # started by Lightning for a further device of a run
        from stylenet.distributed import worker_context

        if context := worker_context():
            from stylenet.cli.train_run import follow_run

            return follow_run(*context)
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if {"-h", "--help"} & set(typed):
        from stylenet.cli.train_help import help_text

        print(help_text(), end="")
        return 0
    with settings_errors():
        return run_or_sweep(typed)


def run_or_sweep(typed: list[str]) -> int:
    """One run, a sweep, or whatever else Hydra offers for the arguments."""
    from stylenet.cli.train_arguments import SWEEP, in_grammar, is_setting, name_of
    from stylenet.cli.train_run import run_once
    from stylenet.cli.train_words import check_words

    check_words(typed)
    arguments = in_grammar(typed)
    settings = [argument for argument in arguments if is_setting(argument)]
    flags = [argument for argument in arguments if not is_setting(argument)]
    check_search(settings, flags)
    if set(flags) - set(SWEEP) or any(name_of(each) == "sweep" or each.startswith("hydra") for each in settings):
        from stylenet.cli.train_hydra import by_hydra

        return by_hydra(arguments)
    with hydra_configs() as compose:
        if not flags:
            return run_once(compose, settings)
        from stylenet.cli.sweep import runs_of, sweep
        from stylenet.cli.sweep_record import finish_sweep, new_sweep_folder, record_calls

        folder = new_sweep_folder()
        code = sweep(runs_of(settings), record_calls(lambda run: train_or_refuse(compose, run), folder))
        finish_sweep(folder)
        return code


def check_search(settings: Sequence[str], flags: Sequence[str]) -> None:
    """Raises `UserError` for a search that has nothing to minimize, or would be one run, before any run begins."""
    from stylenet.cli.train_arguments import name_of
    from stylenet.training.objective import check_measured, check_objective

    given = {name_of(setting): setting.partition("=")[2].strip("'\"") for setting in settings}
    if "objective" in given:
        check_objective(given["objective"])
        if flags and given.keys() & {"styles", "add_to"}:
            check_measured(given["objective"])
    if given.get("sweep", "null") != "null" and not flags:
        raise UserError(f"sweep={given['sweep']} makes several runs and needs -m before it")
    if given.get("hydra.sweeper.direction", "minimize") != "minimize":
        raise UserError("hydra.sweeper.direction must be minimize, as all figures of an objective are")


def train_or_refuse(compose: Callable[[Sequence[str]], Any], settings: list[str]) -> int:
    from stylenet.cli.train_run import run_once

    with settings_errors():
        return run_once(compose, settings)
