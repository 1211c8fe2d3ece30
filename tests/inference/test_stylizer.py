"""`Stylizer`: the same kind of picture comes back, and the network's own numbers in it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylenet import Stylizer
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1)


def tiny() -> TransformerNet:
    return initialize(TransformerNet(TINY), seed=0).eval()


@pytest.fixture
def stylizer() -> Stylizer:
    return Stylizer(tiny(), Card("tiny", TINY), "cpu", torch.float32)


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (21, 30, 3), np.uint8)


@pytest.fixture
def expected(photo: np.ndarray) -> np.ndarray:
    """What the network makes of the photo, in [0, 255]."""
    with torch.inference_mode():
        stylized = tiny()(torch.from_numpy(photo.transpose(2, 0, 1)[None] / np.float32(255)))
    return stylized[0].numpy().transpose(1, 2, 0) * 255


def test_a_pil_image_comes_back_as_rgb(stylizer: Stylizer, photo: np.ndarray, expected: np.ndarray) -> None:
    stylized = stylizer.stylize(Image.fromarray(photo))
    assert (type(stylized), stylized.mode) == (Image.Image, "RGB")
    np.testing.assert_allclose(np.asarray(stylized), expected, atol=0.51)
    assert stylizer.stylize(Image.new("LA", (30, 20))).size == (30, 20)


def test_an_array_of_bytes_comes_back(stylizer: Stylizer, photo: np.ndarray, expected: np.ndarray) -> None:
    photo.flags.writeable = False
    stylized = stylizer.stylize(photo)
    assert stylized.dtype == np.uint8
    np.testing.assert_allclose(stylized, expected, atol=0.51)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_array_of_floats_comes_back(
    stylizer: Stylizer, photo: np.ndarray, expected: np.ndarray, dtype: type
) -> None:
    stylized = stylizer.stylize((photo / 255).astype(dtype))
    assert stylized.dtype == dtype
    np.testing.assert_allclose(stylized * 255.0, expected, atol=1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_of_floats_comes_back(
    stylizer: Stylizer, photo: np.ndarray, expected: np.ndarray, dtype: torch.dtype
) -> None:
    stylized = stylizer.stylize(torch.from_numpy(photo).movedim(-1, 0).div(255).to(dtype))
    assert (stylized.dtype, stylized.shape) == (dtype, (3, 21, 30))
    np.testing.assert_allclose(stylized.movedim(0, -1).float().numpy() * 255, expected, atol=3)


def test_a_tensor_of_bytes_comes_back(stylizer: Stylizer, photo: np.ndarray, expected: np.ndarray) -> None:
    stylized = stylizer.stylize(torch.from_numpy(photo).movedim(-1, 0))
    assert (stylized.dtype, stylized.shape) == (torch.uint8, (3, 21, 30))
    np.testing.assert_allclose(stylized.movedim(0, -1).numpy(), expected, atol=0.51)


def test_a_batch_goes_through_together_and_each_picture_as_if_alone(stylizer: Stylizer) -> None:
    batch = torch.rand(3, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    together = stylizer.stylize(batch)
    torch.testing.assert_close(together, torch.stack([stylizer.stylize(one) for one in batch]))
    array = stylizer.stylize(batch.movedim(1, -1).numpy())
    np.testing.assert_allclose(array, together.movedim(1, -1).numpy(), atol=1e-6)


def test_the_picture_itself_is_left_as_it_was(stylizer: Stylizer, photo: np.ndarray) -> None:
    before = photo.copy()
    stylizer.stylize(photo)
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((20, 20), np.uint8), r"got ndarray \(20, 20\)"),
        (np.zeros((3, 20, 20), np.uint8), r"got ndarray \(3, 20, 20\)"),
        (np.zeros((20, 20, 4), np.uint8), r"got ndarray \(20, 20, 4\)"),
        (torch.zeros(20, 20, 3), r"got Tensor \(20, 20, 3\)"),
        (torch.zeros(0, 3, 20, 20), r"got Tensor \(0, 3, 20, 20\)"),
        (torch.zeros(3, 20, 20, dtype=torch.int64), r"uint8 or floats in \[0, 1\], got torch.int64"),
        (np.full((20, 20, 3), 255.0), r"must lie in \[0, 1\], got 255 to 255"),
        (torch.full((3, 20, 20), torch.nan), r"must lie in \[0, 1\], got nan"),
        (Image.new("RGB", (40, 15)), "at least 16 px wide and high, got 40 x 15"),
    ],
)
def test_other_pictures_are_refused_with_what_came(stylizer: Stylizer, image: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        stylizer.stylize(image)  # type: ignore[type-var]
    assert "\n" not in str(caught.value)


@torch.inference_mode()
def test_half_precision_stays_within_40_db_of_fp32() -> None:
    photo = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
    network = TransformerNet(NetworkSettings(width=8, blocks=2))
    exact = Stylizer(initialize(network, 0), Card("small"), "cpu", torch.float32).stylize(photo)
    half = Stylizer(initialize(network, 0), Card("small"), "cpu", torch.bfloat16).stylize(photo)
    assert not torch.equal(exact, half)
    assert -10 * np.log10((exact - half).square().mean().item()) >= 40


def save_network(folder: Path, name: str, seed: int = 0) -> Path:
    path = folder / "checkpoints" / f"{name}.safetensors"
    save_style(path, initialize(TransformerNet(TINY), seed), Card(name, TINY))
    return path


def first_weight(stylizer: Stylizer) -> float:
    return next(stylizer.network.parameters()).flatten()[0].item()


def test_a_style_is_found_by_name_here_first_and_then_in_the_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, source = tmp_path / "here", tmp_path / "source"
    monkeypatch.setattr("stylenet.models.catalog.SHIPPED", source / "checkpoints")
    here.mkdir()
    monkeypatch.chdir(here)
    save_network(source, "night", seed=1)
    far = first_weight(Stylizer.load("night", "cpu", torch.float32))
    path = save_network(here, "night", seed=2)
    near = first_weight(Stylizer.load("night", "cpu", torch.float32))
    assert far != near == first_weight(Stylizer.load(path, "cpu", torch.float32))


def test_an_unknown_style_names_the_styles_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylenet.models.catalog.SHIPPED", tmp_path / "none" / "checkpoints")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="there is no style nope; available: none yet"):
        Stylizer.load("nope")
    save_network(tmp_path, "wave")
    save_network(tmp_path, "starry")
    with pytest.raises(ValueError, match="there is no style nope; available: starry, wave"):
        Stylizer.load("nope")
    for path in ("nope.safetensors", "folder/nope"):
        with pytest.raises(ValueError, match=f"there is no style file {path}"):
            Stylizer.load(path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize("style", [None, b"starry", 7])
def test_what_is_no_name_of_a_style_is_one_line(style: object) -> None:
    with pytest.raises(ValueError, match="a style is a name or a path, got "):
        Stylizer.load(style)


def test_a_device_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cuda") as caught:
        Stylizer.load(save_network(tmp_path, "wave"), "cuda")
    assert "\n" not in str(caught.value)


def test_the_package_imports_torch_only_when_asked_for_the_stylizer() -> None:
    code = "import sys, stylenet; assert 'torch' not in sys.modules; print(stylenet.Stylizer.__name__)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "Stylizer\n"
