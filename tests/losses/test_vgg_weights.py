"""Loss network weights in files: which file, and how it must be fed."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_vgg import like_artifact, like_torchvision, made_up_vgg, state
from safetensors.torch import save_file

from stylenet.losses.vgg.conventions import reference_picture
from stylenet.losses.vgg.layers import positions
from stylenet.losses.vgg.weights import WeightsError, load_vgg_weights

# How a file must be fed


def test_normalized_weights_are_fed_without_division(tmp_path):
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


def test_the_artifacts_1x1_is_folded_so_that_the_numbers_stay(tmp_path):
    torch.save(like_artifact(), tmp_path / "a.pth")
    weights = load_vgg_weights(str(tmp_path / "a.pth"))
    picture = np.random.default_rng(0).random((3, 3, 3))  # a single 3x3 patch, RGB in [0, 1]
    bgr = picture[::-1] * 255 - np.array([103.939, 116.779, 123.68]).reshape(3, 1, 1)
    original = like_artifact()["2.weight"].double().numpy()
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


def test_channels_that_differ_from_each_other_are_not_normalized(tmp_path):
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
    artifact = [2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51]
    assert list(positions("vgg19", first=2, step=3)) == artifact


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


def test_importing_the_weights_does_not_import_torchvision():
    code = "import sys, stylenet.losses.vgg.weights; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
