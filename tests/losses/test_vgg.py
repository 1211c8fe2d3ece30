"""The loss network's features."""

import pytest
import torch
import torch.nn.functional as F
from made_up_vgg import tiny_weights

from stylenet.errors import UserError
from stylenet.losses.vgg.features import VGGFeatures


def test_layers_are_named_as_in_the_literature(tiny_vgg: VGGFeatures) -> None:
    assert " ".join(tiny_vgg.layers) == "relu1_1 relu1_2 relu2_1 relu2_2 relu3_1 relu3_2 relu3_3 relu3_4 relu4_1"


def test_features_are_those_of_the_convolutions_written_out(tiny_vgg: VGGFeatures) -> None:
    photo = torch.rand(1, 3, 20, 28)
    weights = tiny_weights().convolutions
    x = F.conv2d(photo - 0.5, *weights["conv1_1"], padding=1).relu()
    x = F.conv2d(x, *weights["conv1_2"], padding=1).relu()
    x = F.conv2d(F.max_pool2d(x, 2), *weights["conv2_1"], padding=1).relu()
    torch.testing.assert_close(tiny_vgg(photo, ["relu2_1"])["relu2_1"], x)


def test_only_the_asked_layers_come_back(tiny_vgg: VGGFeatures) -> None:
    assert set(tiny_vgg(torch.rand(1, 3, 16, 16), ["relu3_1", "relu1_2"])) == {"relu1_2", "relu3_1"}


def test_a_layer_beyond_the_weights_is_named(tiny_vgg: VGGFeatures) -> None:
    with pytest.raises(UserError, match=r"relu1_1 … relu4_1, not relu5_1"):
        tiny_vgg(torch.rand(1, 3, 16, 16), ["relu1_1", "relu5_1"])


def test_nothing_of_it_is_saved_or_trained(tiny_vgg: VGGFeatures) -> None:
    assert not tiny_vgg.state_dict()
    assert not list(tiny_vgg.parameters())


def test_in_bf16_it_sees_nearly_the_same(tiny_vgg: VGGFeatures) -> None:
    photo = torch.rand(1, 3, 32, 32)
    exact = tiny_vgg(photo, ["relu3_1"])["relu3_1"]
    tiny_vgg.cast(torch.bfloat16)
    rounded = tiny_vgg(photo, ["relu3_1"])["relu3_1"]
    assert rounded.dtype == torch.bfloat16
    assert ((rounded.float() - exact).norm() / exact.norm()).item() < 0.02
