"""Style files from the Hugging Face Hub: `hf:user/repo[@revision][/file]`.

Files are kept in the hub's own cache, and used from there without a network. They are treated as any untrusted style
file is: `read_style` checks their size and header before it reads weights, and runs no code of theirs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylenet.errors import UserError, first_line
from stylenet.models.limits import MAXIMUM_SIZE, SUFFIX

PREFIX = "hf:"
WEIGHTS, CONFIG = "model.safetensors", "config.json"  # the names that the hub looks for
MAXIMUM_CONFIG = 1_000_000  # bytes
ADDRESS = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>.+))?", re.ASCII)
IN_CACHE = r"/models--(?:[^/]+--)?(?P<repo>[^/]+)/snapshots/[^/]+/(?P<folders>(?:[^/]+/)*)"
CACHED = re.compile(IN_CACHE + re.escape(WEIGHTS) + "$")
PATIENCE = 10.0  # seconds until the hub counts as out of reach


@dataclass(frozen=True)
class HubAddress:
    """A style file in a repository of the hub, at a branch, tag or commit."""

    repo: str
    revision: str | None = None
    file: str = WEIGHTS

    @classmethod
    def parse(cls, text: str) -> "HubAddress":
        """Reads `hf:user/repo[@revision][/file]`. Raises `UserError` for anything else."""
        match = ADDRESS.fullmatch(text.removeprefix(PREFIX))
        if match is None or not text.startswith(PREFIX):
            raise UserError(f"a style on the hub is {PREFIX}user/repo[@revision][/file{SUFFIX}], got {text}")
        file = match["file"] or WEIGHTS
        if not file.endswith(SUFFIX) or ".." in file.split("/"):
            raise UserError(f"a style file ends in {SUFFIX}, got {file} in {text}")
        return cls(match["repo"], match["revision"], file)

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repo}{revision}" + (f"/{self.file}" if self.file != WEIGHTS else "")


def fetch_style(address: HubAddress) -> Path:
    """The style file in the cache, downloaded if it is not there yet or has changed on the hub.

    Without a network, or where the hub refuses, what the cache has. Raises `UserError` when the repository or the file
    cannot be had.
    """
    if not is_reachable():
        return Path(_download(address, address.file, local_files_only=True))
    try:
        size = size_of(address, address.file)
    except UserError:
        with suppress(UserError):
            return Path(_download(address, address.file, local_files_only=True))
        raise
    if size > MAXIMUM_SIZE:
        raise UserError(f"{address} is too large for a style file: {size} bytes")
    with suppress(UserError):  # the hub counts a model's downloads by this file; nothing here needs it
        if size_of(address, CONFIG) <= MAXIMUM_CONFIG:
            _download(address, CONFIG)
    return Path(_download(address, address.file))


def is_reachable() -> bool:
    """Whether the hub answers, whatever it says. Its own client tries for half a minute at each file."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception:  # of whichever HTTP client it has
        return False
    return True


def size_of(address: HubAddress, file: str) -> int:
    """The bytes of a file of the repository, as the hub says before it is downloaded; 0 if it does not."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    with hub_errors(address):
        return get_hf_file_metadata(hf_hub_url(address.repo, file, revision=address.revision)).size or 0


def _download(address: HubAddress, file: str, **options: Any) -> str:
    """The path in the cache."""
    from huggingface_hub import hf_hub_download

    with hub_errors(address):
        return str(hf_hub_download(address.repo, file, revision=address.revision, library_name="stylenet", **options))


@contextmanager
def hub_errors(address: HubAddress) -> Iterator[None]:
    """Raises `UserError` for what the hub, its client or the cache refuse."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined] # of its HTTP client

    try:
        yield
    except (OSError, ValueError, HTTPError) as error:
        raise UserError(f"{address}: {problem(error, address)}") from error


def problem(error: Exception, address: HubAddress) -> str:
    """Describes what went wrong at the hub, and the remedy."""
    from huggingface_hub import errors

    login = "log in with: hf auth login"
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, errors.HfHubHTTPError):
        error = error.__cause__  # the hub answered, by refusing
    reasons = {
        errors.GatedRepoError: f"access must be requested on the repository's page; then {login}",
        errors.RepositoryNotFoundError: f"no such repository, or a private one: {login}",
        errors.RevisionNotFoundError: f"no revision {address.revision}",
        errors.LocalEntryNotFoundError: "not in the cache, and the hub cannot be reached",
        errors.EntryNotFoundError: f"no file {address.file} in the repository",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"the hub refuses access ({status}): {login}"
    return first_line(error)


def style_name(file: Path) -> str:
    """A name for results: the file's own, or of a `model.safetensors` in the hub's cache, that of the repository.

    Of one in a folder of the repository, the folder's name as well.
    """
    match = CACHED.search(file.as_posix())
    return "-".join([match["repo"], *match["folders"].split("/")[:-1]]) if match else file.stem
