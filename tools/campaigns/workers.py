"""Work in forked processes with limits of time and memory, so that what kills or stops one of them is counted."""

import mmap
import os
import resource
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

STEP = 0.05  # seconds between two looks at a worker
PATIENCE = 10  # times the seconds of work that an input may take, for one that sleeps
SHARED = struct.Struct(
    "qddq"
)  # the input at work, since when by the clock and by work, the worker's memory at its start


@dataclass
class Result:
    """The outcome of a range of inputs."""

    counts: Counter[str] = field(default_factory=Counter)  # by outcome; `crash`, `hang` and `wrong` are faults
    faults: list[tuple[int, str]] = field(default_factory=list)  # number of the input, what happened
    slowest: tuple[float, int] = (0.0, 0)  # seconds of work for one input, and its number
    memory: int = 0  # bytes, the largest that a worker grew by

    @property
    def done(self) -> int:
        return sum(self.counts.values())


def survey(work: Callable[[int], str], inputs: range, seconds: float, memory: int) -> Result:
    """Calls `work` for each input in a forked worker, a new one after each that died.

    `work` returns the outcome in a word; what it raises is a fault. A worker may work so many seconds for one input
    (a busy machine does not count) and grow by so many bytes in all.
    """
    result = Result()
    while len(inputs):
        inputs = inputs[_one_worker(work, inputs, seconds, memory, result) :]
    return result


def _one_worker(work: Callable[[int], str], inputs: range, seconds: float, memory: int, result: Result) -> int:
    """Number of inputs that were done, the one that ended it included."""
    shared = mmap.mmap(-1, SHARED.size)
    shared[:] = SHARED.pack(inputs[0], time.monotonic(), 0, 0)
    reader, writer = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(reader)
        _work(work, inputs, memory, shared, writer)
    os.close(writer)
    killed = _watch(worker, reader, shared, seconds, result)
    _, status, usage = os.wait4(worker, 0)
    number, *_, at_first = SHARED.unpack_from(shared)
    result.memory = max(result.memory, usage.ru_maxrss * 1024 - at_first)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        return len(inputs)
    what = "hang" if killed else "crash"
    result.counts[what] += 1
    result.faults.append((number, what if killed else f"crash, status {status}"))
    return inputs.index(number) + 1


def _work(work: Callable[[int], str], inputs: range, memory: int, shared: mmap.mmap, writer: int) -> None:
    """The worker's life; it never returns."""
    virtual, resident = (int(pages) * resource.getpagesize() for pages in _statm()[:2])
    limit = virtual + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with open(writer, "w", buffering=1) as out:
        for number in inputs:
            start = time.process_time()
            # Not pack_into, which first writes zeros: who looks then sees an input that takes for ever.
            shared[:] = SHARED.pack(number, time.monotonic(), start, resident)
            try:
                outcome = work(number)
            except BaseException as error:
                outcome = f"wrong {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            out.write(f"{number} {time.process_time() - start:.4f} {outcome}\n")
    os._exit(0)


def _watch(worker: int, reader: int, shared: mmap.mmap, seconds: float, result: Result) -> bool:
    """Notes the worker's lines until it ends; whether it had to be killed."""
    with open(reader, "rb", buffering=0) as lines:
        os.set_blocking(reader, False)
        rest = b""
        while (got := lines.read(1 << 16)) != b"":
            *whole, rest = (rest + (got or b"")).split(b"\n")
            for line in whole:
                _note(line.decode(), result)
            _, since, before, _ = SHARED.unpack_from(shared)
            too_long = worked(worker) - before > seconds or time.monotonic() - since > PATIENCE * seconds
            if got is None and too_long:
                os.kill(worker, signal.SIGKILL)
                return True
            if got is None:
                time.sleep(STEP)
    return False


def _note(line: str, result: Result) -> None:
    number, took, outcome = line.split(" ", 2)
    result.slowest = max(result.slowest, (float(took), int(number)))
    result.counts[outcome.partition(" ")[0]] += 1
    if outcome.startswith("wrong"):
        result.faults.append((int(number), outcome))


def worked(process: int) -> float:
    """Seconds of a processor's time that a process has used; none when it has ended."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _statm() -> list[str]:
    """The process's memory in pages: virtual, resident …"""
    return Path("/proc/self/statm").read_text().split()
