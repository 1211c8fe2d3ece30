"""The image transformation network."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylenet.errors import UserError
from stylenet.models.transformer_net import InstanceNorm2d, NetworkSettings, TransformerNet, initialize, parameter_count

TINY = NetworkSettings(width=2, blocks=1)
FOLDED = NetworkSettings(width=2, blocks=1, fold=2)
LINEAR = NetworkSettings(width=2, blocks=1, output="linear")
MARGIN = NetworkSettings(width=2, blocks=1, margin=12)


def tiny(form: NetworkSettings = TINY) -> TransformerNet:
    return initialize(TransformerNet(form), seed=0).eval()


@given(
    form=st.sampled_from([TINY, FOLDED, LINEAR, MARGIN]),
    height=st.integers(16, 70),
    width=st.integers(16, 70),
    batch=st.integers(1, 2),
)
@settings(max_examples=40, deadline=None)
@torch.inference_mode()
def test_any_size_comes_back_at_the_same_size(form: NetworkSettings, height: int, width: int, batch: int) -> None:
    assert tiny(form)(torch.rand(batch, 3, height, width)).shape == (batch, 3, height, width)


@torch.inference_mode()
def test_with_a_margin_a_photo_is_extended_by_reflection_and_the_result_cropped() -> None:
    photos = torch.rand(2, 3, 20, 40, generator=torch.Generator().manual_seed(0))
    extended = torch.from_numpy(np.pad(photos.numpy(), ((0, 0), (0, 0), (12, 12), (12, 12)), "reflect"))
    torch.testing.assert_close(tiny(MARGIN)(photos), tiny()(extended)[..., 12:32, 12:52])


@pytest.mark.parametrize(("margin", "message"), [(-1, "must be 0 or more"), (13, "must be at most 12")])
def test_a_margin_that_the_smallest_photos_lack_is_refused(margin: int, message: str) -> None:
    with pytest.raises(UserError, match=f"margin {message}, got {margin}"):
        NetworkSettings(margin=margin)


@torch.inference_mode()
def test_a_folded_network_moves_with_the_photo_by_four_pixels() -> None:
    """The folded pixels come back to their own places: far from the border, a shift by the stride is a shift."""
    wide = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    network = tiny(FOLDED).double()
    for module in network.modules():  # without the norms, which see the whole picture
        if isinstance(module, InstanceNorm2d):
            module.forward = lambda x: x  # type: ignore[method-assign]
    left, right = network(wide[..., :-4].double()), network(wide[..., 4:].double())
    torch.testing.assert_close(left[..., 40:-36], right[..., 36:-40])


@pytest.mark.parametrize(("height", "width"), [(15, 40), (40, 15), (1, 1)])
def test_a_side_below_16_pixels_is_refused_with_both_sides(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"at least 16 px wide and high, got {width} x {height}"):
        tiny()(torch.rand(1, 3, height, width))


def test_the_default_network_learns_1679235_numbers() -> None:
    # By hand, convolutions with biases: 9*9*3*32+32, 9*32*64+64, 9*64*128+128, ten times 9*128*128+128,
    # 9*128*64+64, 9*64*32+32, 9*9*32*3+3; and two for each of the 32+64+128+10*128+64+32 normalized channels.
    convolutions = 7808 + 18496 + 73856 + 10 * 147584 + 73792 + 18464 + 7779
    assert parameter_count(TransformerNet()) == convolutions + 2 * 1600 == 1679235


@pytest.mark.parametrize("form", [TINY, LINEAR])
def test_the_output_lies_in_0_to_1(form: NetworkSettings) -> None:
    network = tiny(form)
    with torch.inference_mode():
        for parameter in network.parameters():
            parameter.mul_(30)
        stylized = network(torch.rand(1, 3, 32, 32) * 5 - 2)
    assert 0 <= stylized.min() < 0.01
    assert 0.99 < stylized.max() <= 1


@torch.inference_mode()
def test_the_result_is_blind_to_contrast_and_brightness() -> None:
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = tiny()
    torch.testing.assert_close(network(0.5 * photo + 0.3), network(photo), atol=2e-3, rtol=0)


@torch.inference_mode()
def test_each_picture_of_a_batch_goes_its_own_way() -> None:
    photos, network = torch.rand(2, 3, 24, 28), tiny()
    alone = torch.cat([network(photos[:1]), network(photos[1:])])
    torch.testing.assert_close(network(photos), alone, atol=1e-5, rtol=0)


def test_the_first_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = tiny().state_dict()
    torch.manual_seed(2)
    second = tiny().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    different = initialize(TransformerNet(TINY), seed=1).state_dict()
    assert not torch.equal(first["layers.0.weight"], different["layers.0.weight"])


def test_drawing_weights_leaves_everybody_elses_random_numbers_alone() -> None:
    network, before = TransformerNet(TINY), torch.random.get_rng_state()
    initialize(network, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("form", "at_most"), [((16, 5, 2), 500_000), ((8, 5, 2), 120_000)])
def test_the_small_networks_are_small(form: tuple[int, int, int], at_most: int) -> None:
    assert parameter_count(TransformerNet(NetworkSettings(*form))) <= at_most


@pytest.mark.parametrize("name", ["width", "blocks", "fold"])
def test_a_network_without_width_or_blocks_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"a network's {name} must be at least 1, got 0"):
        NetworkSettings(**{name: 0})


def test_an_output_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a network's output must be one of sigmoid, linear, got tanh"):
        NetworkSettings(output="tanh")
    with pytest.raises(ValueError, match="a network with linear output has no folding: fold must be 1"):
        NetworkSettings(output="linear", fold=2)


def test_pixels_are_not_folded_by_three() -> None:
    with pytest.raises(ValueError, match=r"a network's fold must be 1 or 2, got 3"):
        NetworkSettings(fold=3)
