"""Objects that come from elsewhere: pickles, files that change, damaged images, pairs that are none."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import stylenet
from stylenet.errors import UserError
from stylenet.inference.blend import check_parts
from stylenet.inference.settings import Brush
from stylenet.inference.stylizer import Stylizer
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


@pytest.mark.parametrize("parts", [[("starry", 0.5)], ["starry"], [(None, 1)]])
def test_a_blend_of_anything_but_pairs_is_a_line(parts: list[object]) -> None:
    with pytest.raises(UserError, match="a blend is a list of pairs"):
        check_parts(parts)


def test_a_loss_that_some_steps_would_not_have_is_refused() -> None:
    with pytest.raises(UserError, match="one of the terms that every step has must be more than 0: content"):
        check_terms({"stability": 6.0})


def test_public_names_are_listed() -> None:
    assert set(stylenet.__all__) <= set(dir(stylenet))
