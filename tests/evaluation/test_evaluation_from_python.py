"""Figures of a network from Python: which photos are taken."""

import pytest
import torch
from torch import Tensor

from stylenet.errors import UserError
from stylenet.evaluation.report import checked_photos, evaluate


def test_bytes_and_floats_of_every_type_become_fp32() -> None:
    photos = torch.randint(0, 256, (2, 3, 64, 80), dtype=torch.uint8)
    torch.testing.assert_close(checked_photos(photos), photos.float() / 255)
    assert checked_photos((photos / 255).double()).dtype == torch.float32


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        (255 * torch.rand(1, 3, 64, 64), "got values from"),
        (torch.full((1, 3, 64, 64), torch.nan), "got values from nan"),
        (torch.rand(1, 3, 64, 63), r"got \(1, 3, 64, 63\)"),
        (torch.rand(0, 3, 64, 64), r"got \(0, 3, 64, 64\)"),
        (torch.rand(3, 64, 64), r"got \(3, 64, 64\)"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.int64), "got int64"),
    ],
)
def test_what_cannot_be_measured_is_one_line(photos: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        evaluate("starry-tiny", photos)
    assert "\n" not in str(caught.value)


def test_another_type_is_named() -> None:
    with pytest.raises(UserError, match="got ndarray"):
        checked_photos(torch.rand(1, 3, 64, 64).numpy())
