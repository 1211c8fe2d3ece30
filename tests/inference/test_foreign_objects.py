"""Objects that come from elsewhere: pickles, files that change, damaged images, pairs that are none."""

import os
import pickle
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import stylenet
from stylenet.errors import UserError
from stylenet.inference.blend import list_of_parts
from stylenet.inference.settings import Brush, number
from stylenet.inference.stylizer import Stylizer, check_settings
from stylenet.losses.perceptual import check_terms
from stylenet.models.style_file import Card, read_style, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet

TINY = NetworkSettings(width=8, blocks=1)


@pytest.fixture
def stylizer() -> Stylizer:
    return Stylizer(TransformerNet(TINY), Card("gray", TINY), "cpu", torch.float32)


def test_a_pickle_belongs_to_the_process_that_loads_it(stylizer: Stylizer) -> None:
    stylizer.process = os.getpid() + 1  # as if made elsewhere
    assert pickle.loads(pickle.dumps(stylizer)).process == os.getpid()
    assert stylizer.with_network(stylizer.plain).process == stylizer.process


def test_a_loaded_network_does_not_change_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "gray.safetensors"
    save_style(file, TransformerNet(TINY), Card("gray", TINY))
    network, _ = read_style(file)
    before = [value.clone() for value in network.state_dict().values()]
    with file.open("r+b") as opened:
        opened.seek(-1000, os.SEEK_END)
        opened.write(b"\x55" * 1000)
    assert all(map(torch.equal, before, network.state_dict().values()))


def test_an_image_that_is_cut_off_is_a_line(stylizer: Stylizer, tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(whole)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(UserError, match="the image cannot be read: "):
        stylizer.stylize(Image.open(tmp_path / "cut.jpg"))
    with pytest.raises(UserError, match="the mask cannot be read: "):
        stylizer.stylize(Image.open(whole), mask=Image.open(tmp_path / "cut.jpg"))


def test_colors_are_matched_whatever_the_default_device_is(stylizer: Stylizer) -> None:
    before = torch.get_default_device()
    torch.set_default_device("meta")
    try:
        found = stylizer.stylize(torch.rand(3, 32, 32, device="cpu"), Brush(match_colors=True))
    finally:
        torch.set_default_device(before)
    assert found.shape == (3, 32, 32)


@pytest.mark.parametrize("parts", [[("starry", 0.5)], ["starry"], [(None, 1)], None])
def test_a_blend_of_anything_but_pairs_is_a_line(parts: object) -> None:
    with pytest.raises(UserError, match="a blend is a list of pairs"):
        list_of_parts(parts)


def test_numbers_of_every_type_are_floats(stylizer: Stylizer) -> None:
    for half in (Fraction(1, 2), Decimal("0.5"), np.float16(0.5), np.array(0.5), torch.tensor(0.5)):
        assert number(half, "strength") == 0.5
        assert type(number(half, "strength")) is float
    assert stylenet.Blend(zip([stylizer, stylizer], [1, 3], strict=True)).weights == [0.25, 0.75]


@pytest.mark.parametrize("value", ["0.5", None, True, [0.5], np.ones(1), 1j], ids=repr)
def test_what_is_no_number_is_a_line(value: object) -> None:
    with pytest.raises(UserError, match="strength must be a number, got "):
        number(value, "strength")


@pytest.mark.usefixtures("without_type_checks")
def test_a_switch_is_true_or_false() -> None:
    for value in ("no", None, 1):
        with pytest.raises(UserError, match="keep_colors must be True or False, got "):
            Brush(keep_colors=value)


@pytest.mark.parametrize("dtype", ["float32", torch.int8, torch.float8_e4m3fn])
def test_a_type_that_no_network_has_is_a_line(dtype: object) -> None:
    with pytest.raises(UserError, match=r"dtype must be one of torch\.float16, .*, got "):
        check_settings(dtype, None)


@pytest.mark.parametrize("memory", ["1GB", -1, float("nan")])
def test_a_memory_that_is_no_number_of_bytes_is_a_line(memory: object) -> None:
    with pytest.raises(UserError, match="memory must be a number"):
        check_settings(None, memory)


def test_a_loss_that_some_steps_would_not_have_is_refused() -> None:
    with pytest.raises(UserError, match="one of the terms that every step has must be more than 0: content"):
        check_terms({"stability": 6.0})


def test_public_names_are_listed() -> None:
    assert set(stylenet.__all__) <= set(dir(stylenet))
