"""The ONNX export: equal to PyTorch within 1 of 255 at any size, with nothing of the machine in the file."""

import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from infer_command import ROOT, picture
from PIL import Image

from stylenet.cli.main import main
from stylenet.errors import UserError
from stylenet.export.onnx import export_onnx, quiet
from stylenet.inference.stylizer import Stylizer
from stylenet.models.catalog import SHIPPED, StyleReference
from stylenet.models.loading import load_single_style
from stylenet.models.style_file import Card, read_card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="needs the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")

SETTINGS = NetworkSettings(width=2, blocks=1, waves=3, black=20)
CARD = Card("night", SETTINGS, {"painting": {"title": "Café « Nuit »"}})
SIZES = [(16, 16), (17, 19), (509, 403)]
FULL_HD = (1080, 1920)


pytestmark = pytest.mark.usefixtures("without_type_checks")


@pytest.fixture(scope="module")
def network() -> TransformerNet:
    network = initialize(TransformerNet(SETTINGS), seed=0)
    for name, weight in network.named_parameters():
        if weight.shape[1:] == (3,):  # of the pattern, which begins with zeros
            torch.nn.init.uniform_(weight, -0.1, 0.1, torch.Generator().manual_seed(1))
            assert name == "layers.8.1.weight"
    return network


@pytest.fixture(scope="module")
def exported(network: TransformerNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two channels, with alpha: exports take seconds, so all tests share this one."""
    path = tmp_path_factory.mktemp("onnx") / "night.onnx"
    export_onnx(network, CARD, path, channels=4)
    return path


def noise(batch: int, height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (batch, height, width, channels), np.uint8)


def by_torch(network: torch.nn.Module, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        stylized = network(torch.from_numpy(pixels[..., :3]).permute(0, 3, 1, 2).float() / 255)
    return (stylized * 255).round().permute(0, 2, 3, 1).numpy()


def by_onnx(path: Path, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path.read_bytes())
    assert [value.name for value in session.get_inputs()] == ["picture"]
    (result,) = session.run(None, {"picture": pixels})
    return result


def largest_difference(path: Path, network: torch.nn.Module, height: int, width: int, channels: int) -> float:
    pixels = noise(1, height, width, channels)
    return np.abs(by_onnx(path, pixels)[..., :3] - by_torch(network, pixels)).max()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_graph_equals_pytorch_at_any_size(exported: Path, network: TransformerNet, height: int, width: int) -> None:
    assert largest_difference(exported, network, height, width, 4) <= 1


def test_each_image_of_a_batch_comes_out_as_it_does_alone(exported: Path) -> None:
    batch = noise(3, 24, 33, 4)
    alone = np.concatenate([by_onnx(exported, pixels[None]) for pixels in batch])
    assert np.abs(by_onnx(exported, batch).astype(int) - alone).max() <= 1


def test_alpha_passes_through(exported: Path) -> None:
    pixels = noise(1, 32, 40, 4)
    assert np.array_equal(by_onnx(exported, pixels)[..., 3], pixels[..., 3])


def test_what_nobody_sees_in_an_image_changes_nothing_as_with_a_stylizer(
    exported: Path, network: TransformerNet
) -> None:
    _, faint, visible = batch = np.full((3, 40, 33, 4), 128, np.uint8)
    faint += np.random.default_rng(0).integers(0, 4, faint.shape, np.uint8)
    visible[20, 7, 1] += 4
    by_stylizer = Stylizer(network, CARD, "cpu", torch.float32).stylize(batch[..., :3])
    stylized = by_onnx(exported, batch)[..., :3].astype(int)
    assert np.abs(stylized - by_stylizer).max() <= 1
    assert np.abs(stylized[1] - stylized[0]).max() <= 1
    assert np.abs(stylized[2] - stylized[0]).max() > 20
    assert np.abs(by_torch(network, batch)[1] - stylized[1]).max() > 20  # what the noise would have become


def test_the_card_is_in_the_metadata(exported: Path) -> None:
    metadata = onnxruntime.InferenceSession(exported.read_bytes()).get_modelmeta().custom_metadata_map
    assert metadata == {"stylenet": CARD.to_json()}


def test_the_file_holds_no_custom_operator_and_nothing_of_the_machine(exported: Path) -> None:
    import onnx

    model = onnx.load(exported)
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    names = [dimension.dim_param for dimension in model.graph.output[0].type.tensor_type.shape.dim]
    assert names == ["batch", "height", "width", ""]
    content = exported.read_bytes()
    for trace in (str(ROOT), str(Path.home()) + os.sep, "site-packages", ".py", "stack_trace"):
        assert trace.encode() not in content


def test_convolution_weights_are_stored_as_fp16_unless_they_are_beyond_its_range(exported: Path) -> None:
    import onnx

    from stylenet.export.model_file import store_weights_as_fp16

    weights = [value for value in onnx.load(exported).graph.initializer if len(value.dims) == 4]
    assert {value.data_type for value in weights} == {onnx.TensorProto.FLOAT16}
    large = onnx.numpy_helper.from_array(np.full((1, 1, 1, 1), 1e6, np.float32), "weight")
    graph = onnx.helper.make_graph([], "graph", [], [], [large])
    store_weights_as_fp16(graph)
    assert graph.initializer[0].data_type == onnx.TensorProto.FLOAT


def example(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `examples/onnx_runtime.py` where torch cannot be imported."""
    script = str(ROOT / "examples/onnx_runtime.py")
    without_torch = "import runpy, sys; sys.modules['torch'] = None; runpy.run_path(sys.argv.pop(0))"
    command = [sys.executable, "-c", f"import sys; sys.argv[:1] = [{script!r}] * 2; {without_torch}"]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)


def test_the_example_stylizes_a_photo_without_torch_by_what_the_command_exports(
    network: TransformerNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_style(tmp_path / "checkpoints/night.safetensors", network, CARD)
    assert main(["export", "night"]) == 0
    photo = picture(tmp_path / "photo.png")
    done = example("night.onnx", photo, "out.png")
    assert (done.returncode, done.stderr) == (0, "")
    pixels = np.array(Image.open(photo))[None]
    assert np.abs(np.asarray(Image.open("out.png"))[None] - by_torch(network, pixels)).max() <= 1


def test_the_example_keeps_the_alpha_with_a_file_for_four_channels(exported: Path, tmp_path: Path) -> None:
    pixels = noise(1, 32, 40, 4)
    Image.fromarray(pixels[0]).save(tmp_path / "photo.png")
    done = example(exported, tmp_path / "photo.png", tmp_path / "out.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), by_onnx(exported, pixels)[0])


@pytest.mark.parametrize(
    ("size", "model", "message"),
    [
        ((15, 40), None, "photo.png has 15 x 40 pixels: at least 16 x 16, at most 16000000 in all"),
        ((5000, 4000), None, "photo.png has 5000 x 4000 pixels"),
        ((20, 20), "photo.png", "error: [ONNXRuntimeError]"),
    ],
)
def test_a_mistake_with_the_example_is_one_line(
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    model: str | None,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", size).save("photo.png")
    done = example(model or exported, "photo.png", "out.png")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no style nowhere"),
        (["night", "-o", "night.pb"], "-o must end in .onnx, got night.pb"),
        (["night"], "night.onnx exists; choose another file with -o"),
        (["photo.png"], "photo.png is not a whole safetensors file"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (folder / "night.onnx").touch()
    assert main(["export", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_missing_extra_is_one_line_that_names_it(
    network: TransformerNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"the ONNX export needs onnxscript: pip install 'stylenet\[onnx\]'"):
        export_onnx(network, CARD, tmp_path / "night.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.safetensors")), ids=lambda file: file.stem)
def test_every_shipped_network_equals_pytorch(file: Path, tmp_path: Path) -> None:
    many = read_card(file).style_names  # one of them, as an ordinary network
    network, card = load_single_style(StyleReference(file, many[0]) if many else file)
    export_onnx(network, card, tmp_path / "network.onnx")
    for height, width in [*SIZES, FULL_HD]:
        assert largest_difference(tmp_path / "network.onnx", network, height, width, 3) <= 1


def test_an_export_leaves_what_other_threads_print_and_log_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def others(*_: object, **__: object) -> None:
        print("printed")
        logging.getLogger("another").warning("logged")
        logging.getLogger("torch.onnx._internal").warning("of the exporter")
        raise KeyError

    monkeypatch.setattr(torch.onnx, "export", others)
    with pytest.raises(KeyError):
        export_onnx(TransformerNet(SETTINGS), CARD, Path("night.onnx"))
    logging.getLogger("torch.onnx._internal").warning("after it")
    assert capsys.readouterr().out == "printed\n"
    assert caplog.messages == ["logged", "after it"]


def test_a_target_that_cannot_be_written_is_found_before_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: pytest.fail("it was exported"))
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        export_onnx(TransformerNet(SETTINGS), CARD, str(tmp_path))


def test_threads_export_one_after_the_other() -> None:
    inside, most, before = [0], [0], (sys.stdout, warnings.filters[:])

    def export() -> None:
        with quiet():
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=export) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert (sys.stdout, warnings.filters[:]) == before
