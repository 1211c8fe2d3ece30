"""`stylenet train`: trains a network on one painting. Hydra composes its settings from `configs/`."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stylenet.disk import find_painting, shipped_files
from stylenet.errors import UserError

log = logging.getLogger(__name__)

CONFIGS = str(shipped_files() / "configs")
UNUSED = {  # settings that runs on many paintings, or on a further one, do not have
    "styles": r"style\.(title|artist|year|died|source|license)",
    "add_to": r"style\.suffix|network(\..*)?|init",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains as the settings say; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(sys.stdout)])
    if int(os.environ.get("LOCAL_RANK") or 0):  # started by Lightning for a further device of a run
        from stylenet.distributed import worker_context

        if leader := worker_context():
            return follow_run(*leader)
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if {"-h", "--help"} & set(typed):
        from stylenet.cli.train_help import help_text

        print(help_text(), end="")
        return 0
    with settings_errors():
        return started(typed)


def started(typed: list[str]) -> int:
    """One run, a sweep, or whatever else Hydra offers for the arguments."""
    from stylenet.cli.train_arguments import SWEEP, in_grammar, is_setting, name_of
    from stylenet.cli.train_words import check_words

    check_words(typed)
    arguments = in_grammar(typed)
    settings = [argument for argument in arguments if is_setting(argument)]
    flags = [argument for argument in arguments if not is_setting(argument)]
    check_search(settings, flags)
    if set(flags) - set(SWEEP) or any(name_of(each) == "sweep" or each.startswith("hydra") for each in settings):
        return by_hydra(arguments)
    with hydra_configs() as compose:
        if not flags:
            return train(compose, settings)
        from stylenet.cli.sweep import runs_of, sweep
        from stylenet.cli.sweep_record import finish_sweep, new_sweep_folder, recorded

        folder = new_sweep_folder()
        code = sweep(runs_of(settings), recorded(lambda run: checked(compose, run), folder))
        finish_sweep(folder)
        return code


def check_search(settings: Sequence[str], flags: Sequence[str]) -> None:
    """Raises `UserError` for a search that has nothing to minimize, or would be one run, before any run begins."""
    from stylenet.cli.train_arguments import name_of
    from stylenet.training.objective import check_objective

    given = {name_of(setting): setting.partition("=")[2].strip("'\"") for setting in settings}
    if "objective" in given:
        check_objective(given["objective"])
    if given.get("sweep", "null") != "null" and not flags:
        raise UserError(f"sweep={given['sweep']} makes several runs and needs -m before it")
    if given.get("hydra.sweeper.direction", "minimize") != "minimize":
        raise UserError("hydra.sweeper.direction must be minimize, as all figures of an objective are")


def checked(compose: Callable[[Sequence[str]], Any], settings: list[str]) -> int:
    with settings_errors():
        return train(compose, settings)


@contextmanager
def settings_errors() -> Iterator[None]:
    """Makes one line of what Hydra and the disk refuse. Raises `UserError`."""
    from stylenet.cli.train_arguments import SETTINGS_ERRORS, one_line
    from stylenet.training.run_folder import disk_errors

    try:
        with disk_errors():
            yield
    except SETTINGS_ERRORS as error:
        raise UserError(one_line(error)) from error


@contextmanager
def hydra_configs() -> Iterator[Callable[[Sequence[str]], Any]]:
    """Yields the function that composes settings from `configs/` and overrides."""
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore

    from stylenet.training.settings import schema

    ConfigStore.instance().store("settings", schema())
    with initialize_config_dir(CONFIGS, version_base="1.3"):
        yield lambda overrides: compose("train", list(overrides))


def composed_settings(arguments: Sequence[str]) -> dict[str, Any]:
    """The settings that these arguments give a run on this machine, as plain values. Raises `UserError`."""
    from omegaconf import OmegaConf

    from stylenet.cli.train_arguments import in_grammar

    with settings_errors(), hydra_configs() as compose:
        values: Any = OmegaConf.to_container(for_device(compose, in_grammar(arguments)))
    return dict(values)


def by_hydra(arguments: list[str]) -> int:
    """Hydra's own command line: `--cfg job`, sweepers other than the plain one, …"""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing eight lines and exiting
    import hydra
    from hydra.core.config_store import ConfigStore
    from hydra.core.hydra_config import HydraConfig

    from stylenet.training.settings import schema

    ConfigStore.instance().store("settings", schema())
    from stylenet.cli import sweep_callback
    from stylenet.cli.sweep_record import all_failed, finish_search

    process, codes = sys.argv, [0]
    sweep_callback.begun.clear()

    @hydra.main(version_base="1.3", config_path=CONFIGS, config_name="train")
    def job(_: Any) -> None:
        sys.argv = process  # with which Lightning starts the other processes of a run on several devices
        codes.append(train(lambda overrides: hydra.compose("train", list(overrides)), HydraConfig.get().overrides.task))
        end_if_stopped(codes[-1])

    sys.argv = [process[0], *with_budget(arguments)]  # for Hydra
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


def with_budget(arguments: list[str]) -> list[str]:
    """Adds the budget that suits the device where settings are printed, unless one is given; beside other settings."""
    from stylenet.cli.train_arguments import name_of

    if "--cfg" not in arguments or any(name_of(argument) == "budget" for argument in arguments):
        return arguments
    budget = (
        "budget=gpu" if accelerated("cpu" if "++trainer.accelerator=cpu" in arguments else "auto") else "budget=cpu"
    )
    return with_setting(arguments, budget)


def with_setting(arguments: list[str], setting: str) -> list[str]:
    """Adds a setting next to the others: Hydra takes no settings on both sides of an option."""
    from stylenet.cli.train_arguments import is_setting

    places = [place for place, argument in enumerate(arguments) if is_setting(argument)] or [len(arguments)]
    return [*arguments[: places[0]], setting, *arguments[places[0] :]]


def train(compose: Callable[[Sequence[str]], Any], overrides: Sequence[str]) -> int:
    """One run, or the rest of one; returns its exit code."""
    from omegaconf import OmegaConf

    from stylenet.training.limits import check_values

    composed, start = compose(overrides), None
    if composed.resume:
        from stylenet.cli.resumption import resumed

        composed, start = resumed(composed, overrides)
        log.info("resume: continues %s", start.folder)
    else:
        check_paintings(composed, overrides)
        typed: Any = OmegaConf.to_object(composed)
        check_values(typed)
        composed = for_device(compose, overrides)
        composed.style.image = typed.style.image
    from stylenet.training.run import run  # after the checks above: Lightning takes seconds to import

    quieten()
    settings: Any = OmegaConf.to_object(composed)
    values: Any = OmegaConf.to_container(composed)
    code = run(settings, values, start)
    report_run()
    return code


def report_run() -> None:
    """Writes the report of the run that has just ended into its folder. A run counts also where that fails."""
    from stylenet.report import write_report
    from stylenet.training.loggers import run_folders

    try:
        write_report(run_folders[-1])
    except UserError as error:
        log.warning("%s", error)


def check_paintings(composed: Any, overrides: Sequence[str]) -> None:
    """Raises `UserError` for settings that the run's kind has no use for, rather than ignore them.

    Where paintings come in a folder, the one painting's file becomes an empty text.
    """
    from stylenet.cli.train_arguments import name_of
    from stylenet.training.limits import check_subject

    names = [name_of(override) for override in overrides]
    if composed.styles:
        other = [each for each in overrides if name_of(each) in ("style", "style.image", "add_to")]
        if other:
            raise UserError(f"styles={composed.styles} trains on all paintings of a folder and excludes {other[0]}")
        composed.style.image = ""
    check_subject(composed)
    if not composed.styles:
        find_painting(composed.style.image)
    for kind, unused in UNUSED.items():
        if composed[kind] and (found := next(filter(re.compile(unused).fullmatch, names), None)):
            raise UserError(f"{found} has no effect with {kind}=")


def for_device(compose: Callable[[Sequence[str]], Any], overrides: Sequence[str]) -> Any:
    """The settings with the budget that suits the device, unless one is given."""
    from stylenet.cli.train_arguments import name_of

    composed = compose(overrides)
    given = any(name_of(override) == "budget" for override in overrides)
    if given or not accelerated(composed.trainer.get("accelerator", "auto")):
        return composed
    return compose(["budget=gpu", *overrides])


def accelerated(accelerator: str) -> bool:
    """Whether a run trains on a GPU."""
    import torch

    return accelerator != "cpu" and (torch.cuda.is_available() or torch.backends.mps.is_available())


def follow_run(folder: Path, checkpoint: Path | None) -> int:
    """A further process of a run on several devices, whose settings are in the run's folder."""
    from omegaconf import OmegaConf

    from stylenet.cli.resumption import recorded
    from stylenet.training.run import run_worker

    quieten()
    settings: Any = OmegaConf.to_object(recorded(folder))
    return run_worker(settings, folder, checkpoint).exit_code


def quieten() -> None:
    """Leaves the screen to this project's own lines. Lightning sets its level when it is imported, so after that."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "datasets", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("pytorch_lightning.profilers").setLevel(logging.INFO)  # the report of trainer.profiler=simple
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch|PIL")
