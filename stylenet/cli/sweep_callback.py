"""A search over settings by one of Hydra's sweepers: each run's objective, the record of the sweep, its end.

Hydra calls this for runs that its own sweepers start (`configs/sweep/`). A sweeper wants a number from each run; it is
read from the run's folder. A run that failed counts as a failed trial and does not end the search.
"""

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, flag_override

from stylenet.cli.command import program
from stylenet.errors import UserError

log = logging.getLogger(__name__)

begun: list[Path] = []  # the folders of the sweeps of this process, for whoever starts them to finish


class RefusedError(BaseException):
    """A search that cannot begin. No `Exception`: Hydra makes a warning of those that a callback raises."""


class SweepCallback(Callback):
    """Writes a record of each run into `hydra.sweep.dir`."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Makes the sweep's folder. A study that is resumed is left the trials that it has not had."""
        from stylenet.report.sweep import read_records  # imported late, here and below: Hydra makes this for --help too

        logging.getLogger("alembic").setLevel(logging.WARNING)  # which reports each step of opening a study
        if "optuna" in str(config.hydra.sweeper.get("_target_")):  # whose level is set when it is imported
            import_module("optuna").logging.set_verbosity(logging.WARNING)
        logging.getLogger("hydra.core.utils").setLevel(logging.CRITICAL)  # all settings of each run that fails, twice
        folder = Path(config.hydra.sweep.dir)
        if resumable := "n_trials" in config.hydra.sweeper and bool(config.hydra.sweeper.get("storage")):
            check(folder, config)
        folder.mkdir(parents=True, exist_ok=True)
        begun.append(folder)
        if resumable:
            done = len(read_records(folder))
            with flag_override(config, ["readonly", "struct"], [False, False]):
                config.hydra.sweeper.n_trials = max(0, config.hydra.sweeper.n_trials - done)
            if done:
                log.info("search: resumes after %d run%s", done, "s" * (done > 1))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Gives the sweeper the objective of a run that ended well."""
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        from stylenet.cli.sweep_record import record_run

        error = job_return._return_value if job_return.status == JobStatus.FAILED else None
        objective = record_run(
            Path(config.hydra.sweep.dir),
            int(config.hydra.job.num),
            list(config.hydra.overrides.task),
            str(config.objective),
            error if isinstance(error, Exception) else None,
            program(),
        )
        if error is None:
            job_return.return_value = objective


def check(folder: Path, config: DictConfig) -> None:
    """Raises `RefusedError` where the folder holds another search."""
    from stylenet.cli.sweep_record import check_study

    try:
        check_study(folder, list(config.hydra.overrides.task), str(config.objective))
    except UserError as error:
        raise RefusedError(str(error)) from error
