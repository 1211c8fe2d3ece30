"""Trackio: a dashboard on this machine, without an account: `trackio show`. `TRACKIO_DIR` says where it is kept."""

from contextlib import redirect_stdout
from io import StringIO
from types import ModuleType
from typing import Any

from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger


class TrackioLogger(Logger):
    """One run, grouped by style. Its settings are those of the first call of `log_hyperparams`."""

    def __init__(self, run: str, style: str, project: str | None, tags: list[str]) -> None:
        super().__init__()
        import trackio

        self.trackio: ModuleType = trackio
        self.run, self.style, self.project, self.tags = run, style, project or "stylenet", tags
        self.started = False

    def start(self, settings: dict[str, Any]) -> None:
        if self.started:
            return
        config = {**settings, "tags": self.tags}
        with redirect_stdout(StringIO()):  # it prints how to open the dashboard, with a token that may write
            self.trackio.init(project=self.project, name=self.run, group=self.style, config=config, embed=False)
        self.started = True

    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        self.start(dict(params))

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        self.start({})
        self.trackio.log(metrics, step=step)

    def log_image(self, key: str, images: list[NDArray[Any]], step: int) -> None:
        self.log_metrics({key: self.trackio.Image(images[0])}, step)

    def close(self) -> None:
        """Ends the run."""
        if self.started:
            with redirect_stdout(StringIO()):
                self.trackio.finish()

    @property
    def name(self) -> str:
        return self.project

    @property
    def version(self) -> str:
        return self.run
