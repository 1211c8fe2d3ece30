"""Load test of the HTTP service, which it starts itself, on the loopback interface:

    python benchmarks/load.py                            1, 16 and 128 clients, ten seconds each
    python benchmarks/load.py --memory 10000             memory of all its processes over so many requests
    python benchmarks/load.py --hostile 1000             mutilated images of the fuzzing campaign

Clients send the next image as soon as the last one is answered, and wait for Retry-After (at most a second) after a
refusal. Exit code 1 if the service answered an internal error, a worker was lost, or memory grew.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO

import httpx
import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
MEBI = 1 << 20
GROWTH = 1.1  # of memory over a run, beyond which it counts as a leak


@dataclass
class Tally:
    """Answers of one measurement: seconds of the stylized images, and the count of each status."""

    seconds: list[float] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    wall: float = 0.0

    def row(self, clients: int) -> str:
        """A row of the table: images per second, percentiles of the latency in ms, refused, errors."""
        if not self.seconds:
            return f"| {clients} | 0 | | | | {self.codes[429]} | {self.errors} |"
        p50, p95, p99 = (1000 * percentile(self.seconds, share) for share in (0.5, 0.95, 0.99))
        rate = len(self.seconds) / self.wall
        return f"| {clients} | {rate:.1f} | {p50:.0f} | {p95:.0f} | {p99:.0f} | {self.codes[429]} | {self.errors} |"

    @property
    def errors(self) -> int:
        """Answers that are neither images nor refusals."""
        return self.codes.total() - self.codes[200] - self.codes[429]


def percentile(values: list[float], share: float) -> float:
    """The quantile of the values: the share is in [0, 1]."""
    return float(np.quantile(values, share, method="higher"))


def photo(side: int) -> bytes:
    """A JPEG of smooth shapes and some noise."""
    rows, columns = np.mgrid[:side, :side] / side
    waves = [np.sin(9 * rows + 4 * columns), np.cos(7 * columns), np.sin(20 * rows * columns)]
    noise = np.random.default_rng(0).normal(0, 9, (side, side, 3))
    buffer = BytesIO()
    Image.fromarray((np.stack(waves, -1) * 100 + 128 + noise).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@contextlib.contextmanager
def service(*options: str) -> Iterator[tuple[str, int]]:
    """`stylenet serve` in a process of its own; its address and process id. Ended by SIGTERM."""
    command = [sys.executable, "-m", "stylenet", "serve", "--port", "0", "--device", "cpu", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        try:
            url = listening(process.stderr)
            while httpx.get(f"{url}/readyz").status_code != 200:
                time.sleep(0.1)
            yield url, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            print(f"ended with exit code {process.wait()}", file=sys.stderr)


def listening(lines: IO[str] | None) -> str:
    """The address in the line that the service prints once it listens."""
    for line in lines or ():
        print(line, end="", file=sys.stderr)
        if "http://" in line:
            return "http://" + line.partition("http://")[2].partition(",")[0]
    raise SystemExit("the service did not start")


async def ask(client: httpx.AsyncClient, url: str, body: bytes, tally: Tally) -> int:
    """One request; its status, 0 where the connection broke."""
    start = time.perf_counter()
    try:
        answer = await client.post(url, content=body, headers={"Content-Type": "image/jpeg"})
    except httpx.TransportError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        tally.codes[0] += 1
        return 0
    tally.codes[answer.status_code] += 1
    if answer.status_code == 200:
        tally.seconds.append(time.perf_counter() - start)
    elif "retry-after" in answer.headers:
        await asyncio.sleep(min(1.0, float(answer.headers["retry-after"])))
    return answer.status_code


async def crowd(url: str, bodies: list[bytes], clients: int, seconds: float, requests: int) -> Tally:
    """Runs the clients at once, until the time is over or the number of requests was answered."""
    tally, start = Tally(), time.perf_counter()
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)

    async def one(place: int, session: httpx.AsyncClient) -> None:
        number = place
        while time.perf_counter() - start < seconds and number < requests:
            await ask(session, url, bodies[number % len(bodies)], tally)
            number += clients

    async with httpx.AsyncClient(limits=limits, timeout=120) as session:
        await asyncio.gather(*(one(place, session) for place in range(clients)))
    tally.wall = time.perf_counter() - start
    return tally


def table(options: argparse.Namespace) -> bool:
    """Prints throughput and latency by number of clients; returns whether there was no error."""
    body, fine = photo(options.side), True
    print("| clients | images/s | p50 ms | p95 ms | p99 ms | refused | errors |\n|---|---|---|---|---|---|---|")
    with service(*serve_options(options)) as (url, _):
        target = f"{url}/v1/stylize?style={options.style}"
        asyncio.run(crowd(target, [body], 2, 2.0, 100))
        for clients in options.clients:
            tally = asyncio.run(crowd(target, [body], clients, options.seconds, 10**6))
            print(tally.row(clients), flush=True)
            fine = fine and not tally.errors
    return fine


def memory(options: argparse.Namespace) -> bool:
    """Prints the memory of all processes of the service over the requests; returns whether it stayed within bounds."""
    sizes = []
    bodies = [photo(side) for side in (options.side, options.side * 3 // 4, options.side // 2)]
    with service(*serve_options(options)) as (url, pid):
        target, step = f"{url}/v1/stylize?style={options.style}", options.memory // 10
        for tenth in range(11):
            front, workers = resident(pid), worker_memory(url)
            sizes.append(front + sum(workers))
            shown = ", ".join(f"{size / MEBI:.0f}" for size in workers)
            print(f"{tenth * step:6} requests: front {front / MEBI:.0f} MiB, workers {shown} MiB", flush=True)
            if tenth < 10:
                tally = asyncio.run(crowd(target, bodies, 8, 3600, step))
                print(f"       {dict(tally.codes)}, {len(tally.seconds) / tally.wall:.1f} images/s", flush=True)
    grown = sizes[-1] / sizes[2]
    print(f"memory after {options.memory} requests: {grown:.3f} of that after {2 * step}")
    return grown < GROWTH


def hostile(options: argparse.Namespace) -> bool:
    """Sends mutilated images; returns whether no answer was an internal error and no worker was lost."""
    sys.path.insert(0, str(ROOT / "tools/campaigns"))
    from mutations import mutated  # type: ignore[import-not-found]
    from seeds import pictures  # type: ignore[import-not-found]

    stock = list(pictures().values())
    bodies = [mutated(stock, options.seed, number) or b"." for number in range(options.hostile)]
    with service(*serve_options(options), "--max-pixels", "4000000") as (url, _):
        target = f"{url}/v1/stylize?style={options.style}"
        tally = asyncio.run(crowd(target, bodies, 8, 3600, len(bodies)))
        lost = int(metrics(url)["stylenet_worker_restarts_total"])
        usual = httpx.post(target, content=photo(options.side)).status_code
    print(f"{options.hostile} mutilated images: {dict(sorted(tally.codes.items()))}; {lost} workers lost; then {usual}")
    bad = [code for code in tally.codes if code == 0 or (code >= 500 and code not in (503, 504))]
    return not bad and not lost and usual == 200


def serve_options(options: argparse.Namespace) -> list[str]:
    return ["--styles", options.style, "--workers", str(options.workers), "--queue", str(options.queue)]


def metrics(url: str) -> dict[str, float]:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def worker_memory(url: str) -> list[float]:
    return [value for name, value in metrics(url).items() if name.startswith("stylenet_worker_memory_bytes")]


def resident(pid: int) -> float:
    """A process's resident memory, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each number of clients")
    parser.add_argument("--memory", type=int, metavar="REQUESTS")
    parser.add_argument("--hostile", type=int, metavar="IMAGES")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=256, help="of the images, in pixels")
    parser.add_argument("--style", default="starry-tiny")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--queue", type=int, default=32)
    options = parser.parse_args()
    work = memory if options.memory else hostile if options.hostile else table
    return 0 if work(options) else 1


if __name__ == "__main__":
    sys.exit(main())
