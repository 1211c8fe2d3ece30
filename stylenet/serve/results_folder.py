"""The folder of a service's uploads and results, of which it alone has the use."""

import re
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from stylenet.disk import check_folder, file_lock, printable, refusal
from stylenet.errors import UserError

FOLDER, LOCK = "stylenet-jobs", ".stylenet-serve.lock"
JOB = re.compile(r"job-[\w-]{22}")  # the names of `ResultsFolder.job`


class ResultsFolder:
    """The folder `stylenet-jobs` in the one that is named, or a temporary folder if none is.

    It is locked until it is closed, as a second service would delete what this one is at work on. Raises `UserError`
    where it cannot be used, another service uses it, or something else made it.
    """

    def __init__(self, named: Path | None) -> None:
        self.ending = ExitStack()
        self.path = self.temporary() if named is None else self.claim(named)

    def job(self, id_: str) -> Path:
        """The folder of a job."""
        return self.path / f"job-{id_}"

    def close(self) -> None:
        """Gives the lock back; deletes a temporary folder."""
        self.ending.close()

    def temporary(self) -> Path:
        try:
            path = Path(tempfile.mkdtemp(prefix=f"{FOLDER}-"))
        except OSError as error:
            raise UserError(f"there is no temporary folder for results: {error.strerror}") from error
        self.ending.callback(shutil.rmtree, path, ignore_errors=True)
        return path

    def claim(self, named: Path) -> Path:
        check_folder(named)
        path = named / FOLDER
        check_folder(path)
        taken = f"another service has its results in {printable(named)}"
        try:
            check_own(path)
            alone = self.ending.enter_context(file_lock(path / LOCK, taken))
        except OSError as error:
            raise UserError(refusal(error, path)) from error
        if alone:
            delete_jobs(path)
        return path


def check_own(path: Path) -> None:
    """Raises `UserError` for a folder with files, but without the lock file that a service leaves in its own."""
    if not (path / LOCK).exists() and any(path.iterdir()):
        raise UserError(f"{printable(path)} is not the folder of a service: rename it, or name another for results")


def delete_jobs(path: Path) -> None:
    """Deletes the jobs of a service that was killed, and nothing else."""
    for left in path.iterdir():
        if JOB.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
