"""Several runs from one command line, as in `-m style=starry,wave`: one that fails does not end the others."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from stylenet.cli.command import complain
from stylenet.cli.train_arguments import as_typed
from stylenet.errors import UserError

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """The outcome of one run: its exit code, and for a failure the reason."""

    label: str
    code: int
    reason: str = ""


def runs_of(settings: Sequence[str]) -> list[list[str]]:
    """The settings of each run: every combination of the values that are listed.

    Needs Hydra to be initialized. Raises Hydra's errors for what it cannot list, as `interval(0,1)`.
    """
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    (runs,) = BasicSweeper.split_arguments(parser.parse_overrides(list(settings)), None)
    return runs


def sweep(runs: Sequence[list[str]], train: Callable[[list[str]], int]) -> int:
    """Trains each run, and prints a summary. Returns 0, 1 if any failed, or the exit code of a run that was stopped."""
    outcomes = list(attempts(runs, train))
    failed = [outcome for outcome in outcomes if outcome.code]
    left = labels(runs)[len(outcomes) :]
    parts = [f"{len(outcomes) - len(failed)} of {len(runs)} runs done"]
    parts += [f"failed: {'; '.join(f'{each.label} ({each.reason})' for each in failed)}"] if failed else []
    parts += [f"not started: {'; '.join(left)}"] if left else []
    (complain if failed or left else log.info)(", ".join(parts))
    stopped = [outcome.code for outcome in outcomes if outcome.code > 128]
    return stopped[0] if stopped else int(bool(failed))


def attempts(runs: Sequence[list[str]], train: Callable[[list[str]], int]) -> Iterator[Outcome]:
    """The outcome of each run, until one was stopped by a signal."""
    for number, (label, run) in enumerate(zip(labels(runs), runs, strict=True), start=1):
        log.info("run %d of %d: %s", number, len(runs), label)
        outcome = attempt(label, run, train)
        if outcome.reason:
            complain(f"error: {label}: {outcome.reason}")
        yield outcome
        if outcome.code > 128:
            return


def attempt(label: str, run: list[str], train: Callable[[list[str]], int]) -> Outcome:
    try:
        code = train(run)
    except UserError as error:
        return Outcome(label, 1, str(error))
    except SystemExit as ended:  # a signal
        code = ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # a bug: it keeps its traceback, and the other runs their turn
        traceback.print_exc()
        return Outcome(label, 1, f"{type(error).__name__}: {error}")
    return Outcome(label, code, "stopped" if code > 128 else "")


def labels(runs: Sequence[list[str]]) -> list[str]:
    """The settings in which each run differs, as in `style=wave batch=2`."""
    common = set.intersection(*(set(run) for run in runs)) if len(runs) > 1 else set()
    own = [[setting for setting in run if setting not in common] or run for run in runs]
    return [" ".join(map(as_typed, settings)) for settings in own]
