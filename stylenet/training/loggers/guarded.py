"""A logger whose errors never end a training."""

import logging
from collections.abc import Callable
from typing import Any

from jaxtyping import UInt8
from pytorch_lightning.loggers import Logger
from torch import Tensor

from stylenet.disk import printable
from stylenet.errors import first_line

log = logging.getLogger(__name__)


class GuardedLogger(Logger):
    """Passes everything on to a Lightning logger. An error is one warning; after it the logger is left alone.

    With `retry`, later calls are tried again: for a file, which may be writable again.
    """

    def __init__(self, label: str, logger: Logger, retry: bool = False) -> None:
        super().__init__()
        self.label, self.logger, self.retry = label, logger, retry
        self.failed = False

    def attempt(self, action: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        if self.failed and not self.retry:
            return
        try:
            action(*arguments, **named)
        except Exception as error:  # a tracker may raise anything
            if not self.failed:
                log.warning(
                    "logger %s failed, training continues without it: %s", self.label, kind_and_first_line(error)
                )
            self.failed = True

    def open(self) -> None:
        """Starts the tracker's run. Lightning's loggers do so when their `experiment` is first asked for."""
        self.attempt(getattr(self.logger, "open", lambda: getattr(self.logger, "experiment", None)))

    def close(self) -> None:
        """Ends the tracker's run."""
        self.attempt(self.logger.finalize, "success")
        self.attempt(getattr(self.logger, "close", lambda: None))

    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        self.attempt(self.logger.log_hyperparams, params)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.attempt(self.logger.log_metrics, metrics, step=step)

    def log_image(self, key: str, image: UInt8[Tensor, "height width 3"], step: int) -> None:
        """Logs an image where the logger takes images."""
        self.attempt(log_image, self.logger, key, image, step)

    def save(self) -> None:
        self.attempt(self.logger.save)

    def finalize(self, status: str) -> None:
        """Nothing at the end of Lightning's training: more is logged after it. `close` ends the run."""

    @property
    def name(self) -> str | None:
        return self.logger.name

    @property
    def version(self) -> int | str | None:
        return self.logger.version

    @property
    def save_dir(self) -> str | None:
        return self.logger.save_dir


def log_image(logger: Logger, key: str, image: UInt8[Tensor, "height width 3"], step: int) -> None:
    """Calls what the logger has for images: `log_image`, as `WandbLogger`, or TensorBoard's `experiment.add_image`."""
    if hasattr(logger, "log_image"):
        logger.log_image(key, [image.numpy()], step=step)
    elif add_image := getattr(getattr(logger, "experiment", None), "add_image", None):
        add_image(key, image.numpy(), step, dataformats="HWC")


def kind_and_first_line(error: BaseException) -> str:
    """An error's type and the first line of its text."""
    kind = type(error).__name__
    return printable(kind if first_line(error) == kind else f"{kind}: {first_line(error)}")
