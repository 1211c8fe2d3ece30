"""Prometheus metrics of the service, all in the front process."""

import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stylenet.serve.jobs import Jobs
from stylenet.serve.pool import Pool
from stylenet.serve.work import Done

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
PAGE = 4096

disable_created_metrics()  # type: ignore[no-untyped-call]  # else every counter has a second line, the time when it began


class Metrics:
    """Counters and gauges of one service; several services in one process do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "stylenet_requests", "Answers by endpoint and HTTP status", ["endpoint", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "stylenet_request_seconds",
            "Seconds from a request's headers to its answer",
            ["endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.network = Counter(
            "stylenet_network_seconds", "Time in networks, without that of clips", ["style"], registry=self.registry
        )
        self.images = Counter(
            "stylenet_images", "Images and clips stylized, jobs included", ["style"], registry=self.registry
        )
        self.fallbacks = Counter(
            "stylenet_fallbacks", "Images stylized by a smaller network because of load", registry=self.registry
        )
        self.inside = Gauge(
            "stylenet_requests_inside", "Requests admitted and not answered yet", registry=self.registry
        )
        if sys.platform == "linux":
            ProcessCollector(registry=self.registry)

    def watch(self, pool: Pool, jobs: Jobs) -> None:
        """Adds the figures of the pool and the jobs."""
        self.registry.register(State(pool, jobs))

    def stylized(self, style: str, done: Done) -> None:
        """Counts an image or a clip, of a request or a job."""
        self.images.labels(style).inc()
        self.network.labels(style).inc(done.network_seconds)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class State(Collector):
    """Figures that are read from the pool and the jobs at each scrape."""

    def __init__(self, pool: Pool, jobs: Jobs) -> None:
        self.pool, self.jobs = pool, jobs

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        pool, jobs = self.pool, self.jobs
        values = {
            "queue_length": ("Requests that wait for a worker", len(pool.requests)),
            "workers": ("Worker processes", len(pool.workers)),
            "workers_busy": ("Images that workers are at work on", sum(lane.busy for lane in pool.lanes)),
            "worker_silence_seconds": ("Time since a worker last finished or answered", pool.silence()),
            "jobs_waiting": ("Jobs that wait for a worker", len(pool.jobs)),
            "jobs_kept": ("Jobs waiting, running or kept with their results", len(jobs.jobs)),
            "jobs_bytes": ("Disk space of uploads and results", jobs.disk),
        }
        for name, (help_, value) in values.items():
            yield GaugeMetricFamily(f"stylenet_{name}", help_, value=float(value))
        yield CounterMetricFamily("stylenet_worker_restarts", "Workers replaced since the start", value=pool.restarts)
        memory = GaugeMetricFamily("stylenet_worker_memory_bytes", "Resident memory of a worker", labels=["worker"])
        for place, worker in enumerate(pool.workers):
            memory.add_metric([str(place)], resident(worker.process.pid if worker.process else None))
        yield memory


def resident(pid: int | None) -> float:
    """A process's resident memory in bytes; 0 where the system does not say."""
    try:
        return float(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE)
    except (OSError, IndexError):
        return 0.0
