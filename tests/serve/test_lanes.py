"""The queue and its lanes, without a service: late work, canceled work, workers that cannot start."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from service_client import noise, wait_for

from stylenet.media.picture import Size
from stylenet.models.catalog import StyleReference
from stylenet.serve.pool import Pool
from stylenet.serve.process import TooLate
from stylenet.serve.work import Done, Work
from stylenet.serve.worker import Device


@dataclass(frozen=True)
class TwoLanes(Device):
    """A CPU with the lanes of a GPU."""

    @property
    def lanes(self) -> int:
        return 2


def work(width: int = 40, seconds: float = 60.0) -> Work:
    return Work("night", noise(width), Size(), 10**6, 60.0, deadline=time.monotonic() + seconds)


@contextmanager
def started(pool: Pool) -> Iterator[Pool]:
    pool.start()
    try:
        wait_for(lambda: pool.ready)
        yield pool
    finally:
        pool.close()


@pytest.fixture
def pool(night: Path) -> Iterator[Pool]:
    """One worker whose two pipes end in two lanes, of which one runs: all work takes the same pipe."""
    found = Pool({"night": StyleReference(night)}, [TwoLanes("cpu", 0)])
    found.lanes = found.lanes[:1]
    with started(found):
        yield found


def test_after_late_work_others_get_their_own_results(pool: Pool) -> None:
    pid = pool.workers[0].process.pid
    os.kill(pid, signal.SIGSTOP)
    late = pool.submit(work(seconds=0.2))
    time.sleep(0.5)
    os.kill(pid, signal.SIGCONT)
    with pytest.raises(TooLate):
        late.result()
    replies = [pool.submit(work(width)).result() for width in (50, 60, 70)]
    assert [reply.width for reply in replies if isinstance(reply, Done)] == [50, 60, 70]
    assert pool.restarts == 0


def test_work_that_is_late_before_it_is_sent_costs_no_worker_and_no_time(pool: Pool) -> None:
    start = time.monotonic()
    with pytest.raises(TooLate):
        pool.submit(work(seconds=-1.0)).result()
    assert isinstance(pool.submit(work()).result(), Done)
    assert pool.restarts == 0
    assert time.monotonic() - start < 5


def test_a_worker_that_does_not_end_late_work_is_replaced(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylenet.serve.lane.PATIENCE", 0.1)
    pid = pool.workers[0].process.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(TooLate):
        pool.submit(work(seconds=0.2)).result()
    with pytest.raises(ProcessLookupError):  # at once: it writes nothing after the outcome
        os.kill(pid, 0)
    monkeypatch.undo()
    assert isinstance(pool.submit(work()).result(), Done)


def test_canceled_work_leaves_its_queue(night: Path) -> None:
    pool = Pool({"night": StyleReference(night)}, [Device("cpu", 0)])
    request, job, other = pool.submit(work()), pool.submit(work(), job=True), pool.submit(work())
    request.cancel()
    job.cancel()
    assert [task.result for task in pool.requests] == [other]
    assert not pool.jobs


@pytest.mark.parametrize("device", [Device("cpu", 0), TwoLanes("cpu", 0)])
def test_a_worker_that_cannot_start_is_never_ready_nor_seen(
    tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylenet.serve.lane.IDLE", 0.05)
    pool = Pool({"night": StyleReference(tmp_path / "missing.safetensors")}, [device])
    seen = [lane.seen for lane in pool.lanes]
    pool.start()
    found = set()
    while pool.workers[0].generation < 4:
        found.add(pool.ready)
        time.sleep(0.001)
    pool.close()
    assert found == {False}
    assert [lane.seen for lane in pool.lanes] == seen
