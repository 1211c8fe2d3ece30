"""A service with tiny random networks, in this process but for its workers."""

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from starlette.testclient import TestClient

from stylenet.models.conditional import ConditionalNet
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.serve.app import create_app
from stylenet.serve.service import Service
from stylenet.serve.settings import ServiceSettings


def save_tiny(path: Path, seed: int = 0) -> Path:
    settings = NetworkSettings(width=2, blocks=1)
    facts = {"painting": {"title": "The Night", "artist": "A. Painter"}}
    save_style(path, initialize(TransformerNet(settings), seed), Card(path.stem, settings, facts))
    return path


def save_gallery(path: Path, *names: str) -> Path:
    """The style file of a network of many styles."""
    settings = NetworkSettings(2, 1, architecture="conditional", styles=len(names))
    network = initialize(ConditionalNet(settings), 0).eval()
    with torch.no_grad():
        network.table += 0.4 * torch.randn(network.table.shape, generator=torch.Generator().manual_seed(1))
    save_style(path, network, Card(path.stem, settings, {"styles": [{"name": each, "title": "It"} for each in names]}))
    return path


def noise(width: int = 40, height: int = 24, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@contextmanager
def client(**settings: object) -> Iterator[TestClient]:
    """A client of a service that is ready; `client.app.state.service` is the service."""
    app = create_app(ServiceSettings(device="cpu", **{"workers": 1, **settings}))
    with TestClient(app) as found:
        wait_for(lambda: found.get("/readyz").status_code == 200)
        yield found


def wait_for(condition: Callable[[], bool]) -> None:
    """Returns once it holds; the test's own time limit is the only one."""
    while not condition():
        time.sleep(0.02)


@contextmanager
def stopped(service: Service) -> Iterator[int]:
    """The first worker's process, which does not go on before the block ends."""
    pid = service.pool.workers[0].process.pid
    wait_for(lambda: not service.pool.lanes[0].busy)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
