"""The sliced Wasserstein distance, against numbers worked out by NumPy or by hand."""

import numpy as np
import pytest
import torch

from stylenet.losses import sliced
from stylenet.losses.sliced import kept_positions, sliced_distance


def generator(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def features(seed: int, side: int = 8, channels: int = 3) -> torch.Tensor:
    return torch.randn(1, channels, side, side, generator=generator(seed))


def test_one_channel_agrees_with_numpy() -> None:
    mine, its = features(1, channels=1), torch.arange(2048.0).view(-1, 1)
    # In one dimension all directions are the axis; of 64 positions each is held against 32 drawn ones of its rank.
    drawing = generator()
    drawn = np.sort(its[torch.randint(2048, (2048,), generator=drawing)].numpy().astype(np.float64)[:, 0])
    sign = torch.randn(48, 1, generator=drawing).sign().numpy()[:, 0]
    expected = []
    for one in sign:
        theirs, own = np.sort(one * drawn), np.sort(one * mine.flatten().numpy().astype(np.float64))
        expected.append(((own - theirs.reshape(64, 32).mean(1)) ** 2).mean() / theirs.var())
    assert sliced_distance(mine, its, generator()).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_a_value_that_is_a_deviation_off_everywhere_is_one_away() -> None:
    painting = kept_positions(features(1, side=64, channels=1))
    shifted = features(1, side=64, channels=1) + painting.std()
    assert sliced_distance(shifted, painting, generator()).item() == pytest.approx(1, abs=0.05)


def test_the_paintings_own_features_are_near_it_wherever_they_are() -> None:
    mine = features(1, side=64, channels=5)
    shuffled = mine.flatten(2)[..., torch.randperm(64 * 64, generator=generator(3))].view_as(mine)
    assert sliced_distance(shuffled, kept_positions(mine), generator()).item() < 0.01
    assert sliced_distance(0.5 * mine, kept_positions(mine), generator()).item() > 0.2


def test_what_a_gram_matrix_cannot_tell_apart_is_apart() -> None:
    signs = torch.tensor([-1.0, 1.0]).repeat(2048).view(1, 1, 64, 64)
    bell = torch.randn(1, 1, 64, 64, generator=generator())
    bell = (bell - bell.mean()) / bell.std(correction=0)
    torch.testing.assert_close(signs.square().mean(), bell.square().mean())
    assert sliced_distance(signs, kept_positions(bell), generator()).item() > 0.2


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_scale_of_the_features_does_not_matter(scale: float) -> None:
    mine, painting = features(1), kept_positions(features(2))
    torch.testing.assert_close(
        sliced_distance(scale * mine, scale * painting, generator()), sliced_distance(mine, painting, generator())
    )


def test_directions_come_from_the_generator_alone() -> None:
    mine, painting = features(1), kept_positions(features(2))
    before = sliced_distance(mine, painting, generator(5))
    torch.manual_seed(1)
    assert torch.equal(sliced_distance(mine, painting, generator(5)), before)
    assert not torch.equal(sliced_distance(mine, painting, generator(6)), before)


def test_an_even_painting_gives_numbers_all_the_same() -> None:
    assert sliced_distance(features(1), torch.ones(9, 3), generator()).isfinite()


def test_no_more_positions_of_the_painting_are_kept_than_needed() -> None:
    kept = kept_positions(features(1, side=200))
    assert kept.shape == (sliced.KEPT, 3)
    assert torch.equal(kept, kept_positions(features(1, side=200)))
    assert len(kept.unique(dim=0)) == sliced.KEPT
