"""Photos of which a part is made flat."""

import numpy as np
import torch

from stylenet.data.flat_areas import flatten_part, line, with_flat_areas


def photos(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def test_so_many_photos_have_a_flat_part() -> None:
    before = photos(1)
    changed = [not torch.equal(with_flat_areas(before, 0.3, number), before) for number in range(200)]
    assert 40 <= sum(changed) <= 80
    assert with_flat_areas(before, 0.0, 0) is before


def test_a_batch_depends_on_its_number_alone() -> None:
    before = photos(4)
    assert torch.equal(with_flat_areas(before, 1.0, 7), with_flat_areas(before, 1.0, 7))
    assert not torch.equal(with_flat_areas(before, 1.0, 7), with_flat_areas(before, 1.0, 8))


def test_one_side_of_a_line_is_flat_and_the_other_as_it_was() -> None:
    before = photos(1)
    after = flatten_part(before, np.random.default_rng(3))
    difference = (after - before).abs().mean(1)[0]
    steps = after.diff(dim=3).abs().mean(1)[0]
    flat = difference[:, 1:] > 1e-4
    assert (difference < 1e-4).float().mean() > 0.1
    assert steps[flat & (steps < 0.02)].numel() > 0.2 * steps.numel()
    assert after.min() >= 0
    assert after.max() <= 1


def test_a_line_is_where_it_should_be() -> None:
    side = line(41, 41, 0.0, 0.5, torch.device("cpu"))
    assert side[:, 20].max() < 1e-3  # the center
    assert side[0, 30].item() == 0.5  # half of the way to the right
    assert side[:, 40].min() > 0.999
