"""The ONNX export of a network of many styles: one of them as an ordinary file, or all with weights as an input."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stylenet.cli.main import main
from stylenet.export.onnx import export_onnx
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import NetworkSettings
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import initialize

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="needs the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")

SETTINGS = NetworkSettings(width=2, blocks=1, architecture="conditional", styles=3, predictor=4)
CARD = Card("gallery", SETTINGS, {"styles": [{"name": name} for name in ("night", "wave", "scream")]})


pytestmark = pytest.mark.usefixtures("without_type_checks")


@pytest.fixture(scope="module")
def network() -> ConditionalNet:
    network = initialize(ConditionalNet(SETTINGS), seed=0).eval()
    torch.nn.init.uniform_(network.table, -2, 2, torch.Generator().manual_seed(1))
    with torch.no_grad():
        network.table.copy_(network.table.half())
    return network


@pytest.fixture(scope="module")
def exported(network: ConditionalNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "gallery.onnx"
    export_onnx(network, CARD, path)
    return path


def noise(batch: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (batch, height, width, 3), np.uint8)


def by_torch(network: torch.nn.Module, pixels: np.ndarray, *weights: np.ndarray) -> np.ndarray:
    photos = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        stylized = network(photos, *map(torch.from_numpy, weights))
    return (stylized * 255).round().permute(0, 2, 3, 1).numpy()


def by_onnx(path: Path, **inputs: np.ndarray) -> np.ndarray:
    (result,) = onnxruntime.InferenceSession(path.read_bytes()).run(None, inputs)
    return result.astype(int)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 19), (203, 101)])
@pytest.mark.parametrize("weights", [[0, 1, 0], [0.5, 1, 2.5]])
def test_a_blend_by_weights_equals_pytorch(
    exported: Path, network: ConditionalNet, height: int, width: int, weights: list[float]
) -> None:
    picture, row = noise(1, height, width), np.array([weights], np.float32)
    assert np.abs(by_onnx(exported, picture=picture, weights=row) - by_torch(network, picture, row)).max() <= 1


def test_each_image_of_a_batch_has_its_own_style(exported: Path, network: ConditionalNet) -> None:
    picture, weights = noise(3, 24, 33), np.eye(3, dtype=np.float32)
    stylized = by_onnx(exported, picture=picture, weights=weights)
    for index in range(3):
        expected = by_torch(network.selected(index), picture[index : index + 1])
        assert np.abs(stylized[index] - expected[0]).max() <= 1


def test_the_file_names_its_inputs_and_holds_no_predictor(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported.read_bytes())
    inputs = [(value.name, value.type, value.shape) for value in session.get_inputs()]
    assert inputs == [
        ("picture", "tensor(uint8)", ["batch", "height", "width", 3]),
        ("weights", "tensor(float)", ["batch", 3]),
    ]
    assert session.get_modelmeta().custom_metadata_map == {"stylenet": CARD.to_json()}
    assert b"predictor." not in exported.read_bytes()


def test_the_command_exports_one_style_as_an_ordinary_file(
    network: ConditionalNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_style(tmp_path / "checkpoints/gallery.safetensors", network, CARD)
    assert main(["export", "gallery#wave"]) == 0
    picture = noise(1, 20, 33)
    assert (
        np.abs(by_onnx(Path("gallery-wave.onnx"), picture=picture) - by_torch(network.selected(1), picture)).max() <= 1
    )


def test_the_command_exports_all_styles(
    network: ConditionalNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_style(tmp_path / "checkpoints/gallery.safetensors", network, CARD)
    assert main(["export", "gallery"]) == 0
    names = [value.name for value in onnxruntime.InferenceSession("gallery.onnx").get_inputs()]
    assert names == ["picture", "weights"]
