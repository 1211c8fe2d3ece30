"""Settings of the HTTP service: its styles, workers and limits."""

from dataclasses import dataclass, field
from pathlib import Path

from stylenet.errors import UserError

FALLBACKS = ("tiny",)


@dataclass(frozen=True)
class Limits:
    """Limits of one kind of request: bytes of its body, pixels of all its frames, seconds until its answer."""

    bytes: int
    pixels: int
    seconds: float

    def __post_init__(self) -> None:
        for name in ("bytes", "pixels", "seconds"):
            if not getattr(self, name) > 0:
                raise UserError(f"the limit of {name} must be above 0, got {getattr(self, name):g}")


@dataclass(frozen=True)
class ServiceSettings:
    """Settings of one service.

    `styles` are names of `checkpoints/`, all if empty. `workers` are processes; by default one per GPU, or one per CPU
    core. `queue` requests may wait beyond those being worked on, `jobs` may wait or run. `rate` is the number of
    requests that one client may send per minute; None is any. With `api_keys`, requests under /v1/ need one of them.
    `fallback` answers with the same style's tiny network once half of the queue is full. Results of jobs are kept for
    `results_seconds`, and `results_bytes` of them and of the uploads that wait. After SIGTERM, requests have
    `drain_seconds` to end.
    """

    styles: tuple[str, ...] = ()
    device: str = "auto"
    workers: int | None = None
    queue: int = 32
    image: Limits = field(default_factory=lambda: Limits(20_000_000, 16_000_000, 30.0))
    job: Limits = field(default_factory=lambda: Limits(500_000_000, 200_000_000, 900.0))
    jobs: int = 16
    rate: float | None = None
    api_keys: tuple[str, ...] = ()
    fallback: str | None = None
    results: Path | None = None
    results_bytes: int = 2_000_000_000
    results_seconds: float = 3600.0
    drain_seconds: float = 20.0

    def __post_init__(self) -> None:
        for name in ("workers", "queue", "jobs"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UserError(f"{name} must be at least 1, got {number}")
        if self.rate is not None and not self.rate > 0:
            raise UserError(f"rate must be above 0 requests per minute, got {self.rate:g}")
        if self.fallback not in (None, *FALLBACKS):
            raise UserError(f"fallback must be one of {', '.join(FALLBACKS)}, got {self.fallback}")
        if self.results_bytes < self.job.bytes:
            raise UserError(
                f"room for results ({self.results_bytes:,} bytes) must hold at least one upload ({self.job.bytes:,})"
            )
