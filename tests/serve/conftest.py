"""One service for all tests that do not need another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from service_client import client, save_tiny
from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The style file of `night`."""
    return save_tiny(tmp_path_factory.mktemp("styles") / "night.safetensors")


@pytest.fixture(scope="session")
def service(night: Path) -> Iterator[TestClient]:
    with client(styles=(str(night),)) as found:
        yield found
