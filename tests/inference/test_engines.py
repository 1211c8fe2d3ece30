"""Engines: the pictures of PyTorch's fp32 within 1 of 255, and one line for what they do not have."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from infer_command import ROOT, Run
from PIL import Image

from stylenet import Blend, Brush, Stylizer, UserError
from stylenet.engines import graph
from stylenet.engines.graph import FOLDER, graph_key
from stylenet.engines.network import Engine, EngineNetwork
from stylenet.inference.temporal import steady_stylizing
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
SETTINGS = NetworkSettings(width=2, blocks=1, waves=3)
CARD = Card("night", SETTINGS)


def needs_openvino() -> None:
    pytest.importorskip("openvino", reason="needs the extra openvino")


pytestmark = pytest.mark.usefixtures("without_type_checks")


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of these tests' own, so that one export of seconds serves them all."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLENET_CACHE", str(folder))
        yield folder


def night() -> TransformerNet:
    network = initialize(TransformerNet(SETTINGS), seed=0)
    torch.nn.init.uniform_(network.get_parameter("layers.8.1.weight"), -0.1, 0.1, torch.Generator().manual_seed(1))
    return network.eval()


def noise(height: int, width: int, *batch: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (*batch, height, width, 3), np.uint8)


def by_torch(memory: int | None = None) -> Stylizer:
    return Stylizer(night(), CARD, "cpu", torch.float32, memory=memory)


@pytest.fixture(params=["onnx", "openvino"])
def stylizer(request: pytest.FixtureRequest) -> Stylizer:
    if request.param == "openvino":
        needs_openvino()
    return Stylizer(night(), CARD, dtype=torch.float32, engine=request.param)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 19), (203, 101)])
@pytest.mark.parametrize("brush", [Brush(), Brush(strength=1.5, stroke=2.0, keep_colors=True)])
def test_the_pictures_are_those_of_pytorch(stylizer: Stylizer, height: int, width: int, brush: Brush) -> None:
    photo = noise(height, width)
    expected = by_torch().stylize(photo, brush).astype(int)
    assert np.abs(stylizer.stylize(photo, brush) - expected).max() <= 1


def test_each_image_of_a_batch_comes_out_as_it_does_alone(stylizer: Stylizer) -> None:
    photos = noise(20, 33, 3)
    assert np.array_equal(stylizer.stylize(photos), [stylizer.stylize(photo) for photo in photos])


def test_every_kind_of_image_comes_back(stylizer: Stylizer) -> None:
    photo = noise(20, 33)
    expected = stylizer.stylize(photo)
    assert np.array_equal(stylizer.stylize(Image.fromarray(photo)), expected)
    pixels = torch.from_numpy(photo).movedim(-1, 0) / 255
    assert np.array_equal((stylizer.stylize(pixels) * 255).round().movedim(0, -1).numpy(), expected)


def test_a_stylizer_can_be_pickled(stylizer: Stylizer) -> None:
    photo = noise(20, 33)
    assert np.array_equal(pickle.loads(pickle.dumps(stylizer)).stylize(photo), stylizer.stylize(photo))


@pytest.mark.parametrize(
    ("engine", "outcome"), [("onnx", "0"), ("openvino", "UserError a Stylizer with openvino cannot")]
)
def test_after_a_fork_onnx_works_and_openvino_is_refused(engine: str, outcome: str) -> None:
    if engine == "openvino":
        needs_openvino()
    script = """
import os, pickle, sys, numpy as np, torch
torch.set_num_threads(2)
stylizer, photo = pickle.load(sys.stdin.buffer), np.zeros((20, 33, 3), np.uint8)
expected = stylizer.stylize(photo)
if os.fork() == 0:
    try:
        print(np.abs(stylizer.stylize(photo).astype(int) - expected).max(), flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    os._exit(0)
os.wait()
"""
    assert in_a_process(script, Stylizer(night(), CARD, dtype=torch.float32, engine=engine)).startswith(outcome)


def in_a_process(script: str, stylizer: Stylizer) -> str:
    """What a script prints that finds the pickled stylizer on standard input."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=pickle.dumps(stylizer), capture_output=True, env=environment)
    return (done.stdout or done.stderr).decode()


def test_a_graph_is_exported_once_and_again_for_other_weights(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Stylizer(night(), CARD, engine="onnx").stylize(noise(20, 33))
    before = set(cache.glob(f"{FOLDER}/*.onnx"))
    Stylizer(night(), CARD, engine="onnx").stylize(noise(20, 33))
    assert set(cache.glob(f"{FOLDER}/*.onnx")) == before
    other = night()
    with torch.no_grad():
        other.layers[0].bias[0] += 0.01
    keys = {graph_key(other), graph_key(night())}
    monkeypatch.setattr(torch, "__version__", "0.0")
    assert len({*keys, graph_key(night())}) == 3


def test_the_graphs_that_were_used_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLENET_CACHE", str(tmp_path))
    monkeypatch.setattr(graph, "KEPT", 2)
    monkeypatch.setattr(graph, "_exported", lambda network: str(network.number).encode())
    monkeypatch.setattr(graph, "graph_key", lambda network: str(network.number))
    clock = iter(range(9))
    for number in (0, 1, 0, 2, 3, 3):
        assert graph.network_graph(SimpleNamespace(number=number)) == str(number).encode()  # type: ignore[arg-type]
        os.utime(tmp_path / FOLDER / f"{number}.onnx", (next(clock),) * 2)
        kept = {path.stem for path in tmp_path.glob(f"{FOLDER}/*.onnx")}
        if number == 2:
            assert kept == {"0", "2"}
    assert kept == {"2", "3"}
    assert {path.name for path in tmp_path.glob(f"{FOLDER}/*.lock")} <= {"2.onnx.lock", "3.onnx.lock"}


def test_without_a_cache_it_works_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLENET_CACHE", str(tmp_path / "file"))
    photo = noise(20, 33)
    expected = by_torch().stylize(photo).astype(int)
    assert np.abs(Stylizer(night(), CARD, engine="onnx").stylize(photo) - expected).max() <= 1


def test_styles_that_differ_in_norms_alone_are_blended_in_one_pass() -> None:
    other = night()
    with torch.no_grad():
        other.layers[1].weight += 0.5
    first, second = (Stylizer(network, CARD, engine="onnx") for network in (night(), other))
    blend = Blend([(first, 1), (second, 1)])
    assert [type(network) for painter, _ in blend.passes for network in painter.networks] == [EngineNetwork]
    parts = [Stylizer(network, CARD, "cpu", torch.float32) for network in (night(), other)]
    photo = noise(20, 33)
    expected = Blend([(part, 1) for part in parts]).stylize(photo).astype(int)
    assert np.abs(blend.stylize(photo) - expected).max() <= 1


def test_images_are_never_cut_into_strips_but_refused_where_they_take_too_much_memory() -> None:
    photo = noise(100, 100)
    small = Stylizer(night(), CARD, memory=100_000, engine="onnx")
    message = "100 x 100 pixels are too many for the engine onnx: takes about 0.0006 GB, and 0.0001 GB are there; "
    with pytest.raises(UserError, match=message):
        small.stylize(photo)
    assert np.array_equal(small.stylize(noise(16, 17)), Stylizer(night(), CARD, engine="onnx").stylize(noise(16, 17)))


def test_memory_that_cannot_be_had_is_one_line(stylizer: Stylizer) -> None:
    """In a process that may have no more than it has, and of an engine that would not have refused the image."""
    assert stylizer.engine is not None
    script = """
import os, pickle, resource, sys, numpy as np
stylizer = pickle.load(sys.stdin.buffer)
stylizer.stylize(np.zeros((20, 20, 3), np.uint8))
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, [pages * resource.getpagesize() + 300_000_000] * 2)
try:
    stylizer.stylize(np.zeros((2000, 2000, 3), np.uint8))
except Exception as error:
    print(type(error).__name__, error, flush=True)
os._exit(0)
"""
    start = f"UserError 2000 x 2000 pixels are too many for the engine {stylizer.engine.name}: not enough memory"
    assert in_a_process(script, stylizer).startswith(start)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "caffe"}, "an engine is one of torch, onnx, openvino, got caffe"),
        ({"engine": "onnx", "device": "cuda:0"}, "the engine onnx runs on the CPU, not on cuda:0"),
        ({"engine": "onnx", "compile": True}, "the engine onnx compiles nothing"),
        ({"engine": "onnx", "dtype": torch.bfloat16}, r"the engine onnx computes in torch.float32, got torch.bfloat16"),
    ],
)
def test_what_an_engine_does_not_have_is_one_line(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Stylizer(night(), CARD, **settings)  # type: ignore[arg-type]


def test_networks_of_other_code_are_refused() -> None:
    with pytest.raises(UserError, match="the engine onnx takes networks of style files, got Identity"):
        Stylizer(torch.nn.Identity(), CARD, engine="onnx")


def test_temporal_smoothing_is_refused() -> None:
    stylizer = Stylizer(night(), CARD, engine="onnx")
    with (
        pytest.raises(UserError, match="the engine onnx has no temporal smoothing: it must be 0"),
        steady_stylizing(stylizer),
    ):
        pass
    with steady_stylizing(stylizer, 0) as stylize:
        assert np.array_equal(stylize(noise(20, 33), 0.0), stylizer.stylize(noise(20, 33)))


def test_openvino_computes_in_bf16_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_openvino()
    for faster, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr("stylenet.engines.network.bf16_is_faster", lambda device, faster=faster: faster)
        assert (Engine("openvino").precision, Engine("onnx").precision) == (dtype, torch.float32)
    photo = noise(40, 60)
    stylized = Stylizer(night(), CARD, dtype=torch.bfloat16, engine="openvino").stylize(photo)
    assert np.abs(stylized - by_torch().stylize(photo).astype(int)).max() <= 8


def test_the_command_writes_what_the_engine_makes(call: Run, folder: Path) -> None:
    save_style(folder / "checkpoints/night.safetensors", night(), CARD)
    code, _, err = call("photo.png", "-s", "night", "--engine", "onnx", "-o", "new.png")
    assert (code, err) == (0, [])
    expected = by_torch().stylize(np.array(Image.open("photo.png"))).astype(int)
    assert np.abs(np.array(Image.open("new.png")) - expected).max() <= 1


def test_an_engine_that_is_not_installed_is_one_line_that_names_the_extra(
    call: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    code, out, err = call("photo.png", "-s", "night", "--engine", "openvino")
    assert (code, out) == (1, [])
    assert err == ["infer.py: error: the engine openvino needs openvino: pip install 'stylenet[openvino]'"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("photo.png --device cuda", "--engine onnx runs on the CPU, not on cuda"),
        ("--raw 640x360", "--engine onnx has no temporal smoothing: --steady 0, or --engine torch"),
        ("clip.mp4", "--engine onnx has no temporal smoothing: --steady 0, or --engine torch"),
    ],
)
def test_unsuitable_options_are_one_line(call: Run, folder: Path, options: str, message: str) -> None:
    code, out, err = call(*options.split(), "-s", "night", "--engine", "onnx")
    assert (code, out, len(err)) == (1, [], 1)
    assert message in err[0]


@pytest.mark.parametrize("damage", [b"", b"cut", bytes(64)])
def test_a_damaged_graph_is_exported_again(damage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLENET_CACHE", str(tmp_path))
    monkeypatch.setattr(graph, "_exported", lambda network: b"a graph")
    monkeypatch.setattr(graph, "graph_key", lambda network: "key")
    assert graph.network_graph(night()) == b"a graph"
    (tmp_path / FOLDER / "key.onnx").write_bytes(damage)
    assert graph.network_graph(night()) == b"a graph"
    monkeypatch.setattr(graph, "_exported", None)  # and kept
    assert graph.network_graph(night()) == b"a graph"
