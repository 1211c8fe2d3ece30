"""The Python API takes what scripts have, gives ordinary results, and says in one line what it does not take."""

import multiprocessing
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import GRADIENT, exif_of
from PIL import Image, ImageCms

from stylenet import Brush, Stylizer
from stylenet.errors import UserError
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def stylizer() -> Stylizer:
    return Stylizer(initialize(TransformerNet(TINY), 0), Card("tiny", TINY), "cpu", torch.float32)


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A photo that lies on its side, with a profile."""
    Image.fromarray(GRADIENT).save(tmp_path / "phone.jpg", exif=exif_of(6), icc_profile=SRGB)
    return tmp_path / "phone.jpg"


def test_paths_and_opened_files_come_back_upright_with_their_profile(stylizer: Stylizer, phone: Path) -> None:
    for image in (str(phone), phone, Image.open(phone), Image.open(phone).convert("RGB")):
        stylized = stylizer.stylize(image)
        for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
            buffer = BytesIO()
            stylized.save(buffer, kind)
            saved = Image.open(buffer)
            assert (saved.size, saved.info["icc_profile"], saved.getexif().get(0x0112)) == ((40, 60), SRGB, None)
    expected = stylizer.stylize(np.rot90(np.asarray(Image.open(phone)), -1))
    np.testing.assert_array_equal(np.asarray(stylized), expected)


def test_a_list_of_images_of_any_kind_comes_back_as_a_list(stylizer: Stylizer, phone: Path) -> None:
    first, second, third = stylizer.stylize([GRADIENT, torch.rand(3, 20, 30), phone])
    np.testing.assert_array_equal(first, stylizer.stylize(GRADIENT))
    assert (second.shape, third.size) == ((3, 20, 30), (40, 60))


@pytest.mark.parametrize("brush", [Brush(), Brush(strength=0.5)])
def test_results_are_ordinary_tensors(stylizer: Stylizer, brush: Brush) -> None:
    weight = torch.ones(1, requires_grad=True)
    stylized = stylizer.stylize(torch.rand(3, 20, 30), brush)
    (weight * stylized).sum().backward()
    stylized.mul_(255)
    assert weight.grad is not None


def test_an_array_of_the_other_byte_order_is_taken(stylizer: Stylizer) -> None:
    floats = (GRADIENT / 255).astype(np.float32)
    np.testing.assert_array_equal(stylizer.stylize(floats.astype(">f4")), stylizer.stylize(floats))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (None, "a path, an array .* got NoneType"),
        ({"a": 1}, "got dict"),
        (b"bytes", "got bytes"),
        (7, "got int"),
        ("nope.jpg", r"nope\.jpg: No such file"),
        (GRADIENT.astype(object), "uint8 or floats in .* got object"),
        (GRADIENT.astype(complex), "got complex128"),
        ([GRADIENT, None], "got NoneType"),
        (torch.zeros(3, 20, 20).to(torch.float8_e4m3fn), "got torch.float8_e4m3fn"),
        (torch.zeros(3, 20, 20).to_sparse(), "sparse or without values"),
        (torch.zeros(3, 20, 20, device="meta"), "sparse or without values"),
        (np.zeros((0, 20, 3), np.uint8), r"got ndarray \(0, 20, 3\)"),
        (torch.rand(4, 2000, 2000), r"got Tensor \(4, 2000, 2000\)"),
        (np.zeros((2000, 15, 3), np.uint8), "at least 16 px wide and high, got 15 x 2000"),
    ],
)
@pytest.mark.parametrize("memory", [None, 300_000])
def test_anything_else_is_one_line_whatever_way_it_would_have_gone(
    image: object, reason: str, memory: int | None
) -> None:
    stylizer = Stylizer(TransformerNet(TINY), Card("tiny", TINY), "cpu", torch.float32, memory=memory)
    with pytest.raises(UserError, match=reason) as caught:
        stylizer.stylize(image)
    assert "\n" not in str(caught.value)


def test_a_mask_may_be_a_file_and_anything_else_is_one_line(stylizer: Stylizer, tmp_path: Path) -> None:
    Image.new("L", (60, 40)).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(stylizer.stylize(GRADIENT, mask=tmp_path / "mask.png"), GRADIENT)
    np.testing.assert_array_equal(stylizer.stylize(GRADIENT, mask=str(tmp_path / "mask.png")), GRADIENT)


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu")])
def test_a_device_has_torchs_names(device: str | torch.device) -> None:
    assert Stylizer(TransformerNet(TINY), Card("tiny", TINY), device).device == torch.device("cpu")


def test_a_second_gpu_can_be_chosen_by_its_index(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylenet.device import pick_device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(pick_device(name)) for name in ("auto", "cuda", "cuda:1", "cpu")] == ["cuda", "cuda", "cuda:1", "cpu"]
    with pytest.raises(UserError, match="there is no device 'cuda:2'; this machine has: cpu, cuda:0, cuda:1"):
        pick_device("cuda:2")


def test_the_callers_network_stays_as_it_was() -> None:
    network = TransformerNet(TINY).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    stylizer = Stylizer(network, Card("tiny", TINY), "cpu", torch.bfloat16)
    stylizer.stylize(GRADIENT)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert next(network.parameters()).dtype == torch.float32


def test_a_forked_child_of_a_process_that_used_threads_works() -> None:
    code = """
import multiprocessing, numpy, torch
from stylenet import Stylizer
from stylenet.models.style_file import Card
from stylenet.models.transformer_net import TransformerNet
torch.set_num_threads(2)
stylizer, image = Stylizer(TransformerNet(), Card("x"), "cpu", torch.float32), numpy.zeros((200, 200, 3), numpy.uint8)
stylizer.stylize(image)
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply_async(stylizer.stylize, (image,)).get(60).shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.stdout == "(200, 200, 3)\n", done.stderr


def test_a_stylizer_on_a_gpu_says_that_it_does_not_survive_a_fork(stylizer: Stylizer) -> None:
    stylizer.device, stylizer.process = torch.device("cuda"), multiprocessing.current_process().pid + 1
    with pytest.raises(UserError, match="cannot be used after a fork"):
        stylizer.stylize(GRADIENT)
