"""Which precision a machine gets, from what it says of itself."""

import pytest
import torch

from stylenet.device import bf16_is_faster, pick_device
from stylenet.errors import UserError


@pytest.mark.parametrize(
    ("units", "limit", "expected"),
    [
        ("amx_tile", "", True),
        ("avx512_bf16", "", True),
        ("avx512_bf16", "AVX512_CORE_BF16", True),
        ("avx512_bf16", "avx512_core", False),
        ("amx_tile", "AVX2", False),
        ("", "", False),
    ],
)
def test_a_cpu_computes_in_bf16_where_it_has_units_that_may_be_used(
    units: str, limit: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("amx_tile", "avx512_bf16"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda name=name: name == units, raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    bf16_is_faster.cache_clear()
    assert bf16_is_faster("cpu") is expected
    bf16_is_faster.cache_clear()


def test_a_device_that_is_not_there_is_an_error_that_lists_what_is() -> None:
    with pytest.raises(UserError, match=r"tpu.*cpu"):
        pick_device("tpu")
