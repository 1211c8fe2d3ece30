"""Weights & Biases: online if the user is logged in and the service answers, else offline. Never asks for a login."""

import logging
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import WandbLogger

from stylenet.errors import first_line

log = logging.getLogger(__name__)
PATIENCE = 3.0  # seconds for the service to answer; wandb itself would wait 90
# wandb's own variables, which hold where the settings name nothing else.
VARIABLES = {"name": "WANDB_NAME", "group": "WANDB_RUN_GROUP", "save_dir": "WANDB_DIR", "tags": "WANDB_TAGS"}


class WandbRun(WandbLogger):
    """One run, grouped by style. Raises `wandb.Error` for a project that wandb would refuse."""

    def __init__(
        self, folder: Path, run: str, style: str, project: str | None, entity: str | None, tags: list[str]
    ) -> None:
        os.environ.setdefault("WANDB_SILENT", "true")
        project = project or os.environ.get("WANDB_PROJECT") or "stylenet"
        self.settings = wandb.Settings(init_timeout=10, project=project, entity=entity)
        values: dict[str, Any] = {"name": run, "group": style, "save_dir": folder, "tags": tags or None}
        own = {
            key: value for key, value in values.items() if (tags and key == "tags") or VARIABLES[key] not in os.environ
        }
        super().__init__(project=project, entity=entity, settings=self.settings, **own)

    def open(self) -> None:
        """Starts the run."""
        reason = why_offline()
        self.settings.mode = "offline" if reason else "online"
        try:
            place = self.experiment.dir
        except wandb.Error as error:  # logged in, but not to this project, or the service stalls
            reason = first_line(error)
            self.settings.mode = "offline"
            place = self.experiment.dir
        if reason:
            log.info("wandb: offline (%s); to send this run later: wandb sync %s", reason, Path(place).parent)

    def close(self) -> None:
        """Ends the run."""
        self.experiment.finish()


def why_offline() -> str | None:
    """The reason for which wandb cannot be used online now; none if it can."""
    if "offline" in (os.environ.get("WANDB_MODE"), wandb.setup().settings.mode):
        return "offline mode"
    address = urlparse(wandb.setup().settings.base_url)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=PATIENCE).close()
    except OSError:
        return "the service does not answer"
    try:
        return None if wandb.login(prompt=False) else "not logged in"
    except wandb.Error as error:
        return first_line(error)
