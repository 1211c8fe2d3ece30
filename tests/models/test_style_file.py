"""The style file: what goes in comes out, and an untrusted one does no harm."""

import json
import os
import pickle
import re
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stylenet.errors import UserError
from stylenet.models.style_file import CARD_KEY, Card, StyleFileError, read_card, read_style, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1)
CARD = Card("starry", TINY, {"painting": {"title": "Café « Nuit »", "year": None}, "steps": 3})


@pytest.fixture
def network() -> TransformerNet:
    return initialize(TransformerNet(TINY), seed=0)


@pytest.fixture
def style_file(tmp_path: Path, network: TransformerNet) -> Path:
    path = tmp_path / "starry.safetensors"
    save_style(path, network, CARD)
    return path


def test_weights_and_card_come_back_bit_for_bit(style_file: Path, network: TransformerNet) -> None:
    loaded, card = read_style(style_file)
    assert card == CARD == read_card(style_file)
    assert not loaded.training
    expected = network.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    for name, value in loaded.state_dict().items():
        assert value.numpy().tobytes() == expected[name].numpy().tobytes()


def test_a_loaded_network_can_be_trained_on(style_file: Path) -> None:
    loaded, _ = read_style(style_file)
    loaded(torch.rand(1, 3, 16, 16)).sum().backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())


def test_equal_networks_give_equal_bytes(tmp_path: Path, style_file: Path) -> None:
    again = tmp_path / "again.safetensors"
    facts = dict(reversed(list(CARD.facts.items())))
    save_style(again, initialize(TransformerNet(TINY), seed=0), Card("starry", TINY, facts))
    assert again.read_bytes() == style_file.read_bytes()


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(
    style_file: Path, monkeypatch: pytest.MonkeyPatch, network: TransformerNet
) -> None:
    before = style_file.read_bytes()

    def full_disk(_from: Path, _to: Path) -> None:
        raise OSError(28, "No space left on device")

    initialize(network, seed=1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full_disk)
        with pytest.raises(OSError, match="No space"):
            save_style(style_file, network, CARD)
    assert style_file.read_bytes() == before
    assert [style_file] == list(style_file.parent.iterdir())
    save_style(style_file, network, CARD)
    assert style_file.read_bytes() != before


def test_the_file_has_the_permissions_of_any_new_file(style_file: Path) -> None:
    other = style_file.with_name("other")
    other.touch()
    assert stat.S_IMODE(style_file.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_half_precision_weights_are_read_as_fp32(style_file: Path, network: TransformerNet) -> None:
    save_file({name: value.half() for name, value in load_file(style_file).items()}, style_file, metadata())
    loaded, _ = read_style(style_file)
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), atol=1e-3, rtol=1e-3)


def metadata(**network: object) -> dict[str, str]:
    return {CARD_KEY: json.dumps({"name": "starry", "network": {"width": 2, "blocks": 1, **network}})}


def test_a_strangers_name_is_shown_and_not_obeyed(tmp_path: Path, network: TransformerNet) -> None:
    path = tmp_path / "strange.safetensors"
    for name in ("\x1b[2Jgone", "two\nlines", "\ud800", "a\0b", "left\u202eright", "x" * 100_000, ["a"], None):
        card = json.dumps({"name": name, "network": {"width": 2, "blocks": 1}})
        save_file(dict(network.state_dict()), path, {CARD_KEY: card})
        read = read_card(path).name
        assert read.isprintable()
        assert len(read) <= 255


def test_half_a_character_on_a_card_is_replaced(tmp_path: Path, network: TransformerNet) -> None:
    card = json.dumps({"name": "x", "network": {"width": 2, "blocks": 1}, "title": "a\ud800b"})
    save_file(dict(network.state_dict()), tmp_path / "x.safetensors", {CARD_KEY: card})
    assert read_card(tmp_path / "x.safetensors").facts["title"] == "a?b"


class Payload:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_with_a_payload_never_runs(tmp_path: Path) -> None:
    harm, path = tmp_path / "harm", tmp_path / "starry.safetensors"
    path.write_bytes(pickle.dumps(Payload(harm)))
    refused(path)
    torch.save({"weights": Payload(harm)}, path)
    refused(path)
    assert not harm.exists()


def refused(path: Path, reason: str = "") -> None:
    for read in (read_style, read_card) if not reason.startswith("weights: ") else (read_style,):
        with pytest.raises(StyleFileError) as caught:
            read(path)
        assert re.search(reason.removeprefix("weights: "), str(caught.value))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize("share", [0, 0.001, 0.2, 0.5, 0.999])
def test_a_truncated_file_is_refused(style_file: Path, share: float) -> None:
    data = style_file.read_bytes()
    style_file.write_bytes(data[: int(share * len(data))])
    refused(style_file, "not a whole safetensors file")


def test_a_file_with_more_behind_it_is_refused(style_file: Path) -> None:
    style_file.write_bytes(style_file.read_bytes() + b"more")
    refused(style_file, "not a whole safetensors file")


def test_a_name_that_is_not_utf_8_is_the_reason_given(tmp_path: Path, network: TransformerNet) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.safetensors")
    save_style(path, network, CARD)
    refused(path, "safetensors opens only names in UTF-8: rename it")


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe\n.safetensors")
    refused(tmp_path / "pipe\n.safetensors", "is not a file")
    refused(tmp_path, "is not a file")
    refused(tmp_path / "missing.safetensors", "cannot be read: No such file")


@pytest.mark.parametrize("header", [2**63, 2**40, 90_000_000])
def test_a_header_bomb_is_refused_unread(tmp_path: Path, header: int) -> None:
    path = tmp_path / "bomb.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", header))
        file.truncate(100_000_000)
    refused(path, "too large|not a whole")


def with_header(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def changed(style_file: Path, **entry: object) -> bytes:
    """The style file, with another entry for its first bias in the header."""
    content = style_file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["layers.0.bias"] |= entry
    return with_header(json.dumps(header).encode(), content[end:])


@pytest.mark.parametrize(
    "entry",
    [{"shape": shape} for shape in ([2**60], [2**32, 2**32], [2**63, 2], [2**64], [-1], [1.5], [1] * 10_000, "2", None)]
    + [{"data_offsets": offsets} for offsets in ([0, 2**60], [2**60, 2**60 + 8], [8, 0], [-8, 0], [0, 7], [0], None)]
    + [{"dtype": kind} for kind in ("I64", "F64", "BOOL", "F8_E4M3", "X", 1, None)],
)
def test_a_header_that_lies_is_refused(style_file: Path, entry: dict[str, object]) -> None:
    style_file.write_bytes(changed(style_file, **entry))
    refused(style_file, "weights: not a whole safetensors file|do not fit")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b'{"\xff": 1}',
        b'{"__metadata__": []}',
        b'{"__metadata__": {"stylenet": {}}}',
        b'{"__metadata__": ' + b'{"a": ' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"[" * 900_000,
        b'{"__metadata__": {}, "__metadata__": {}}',
    ],
)
def test_a_strange_header_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "strange.safetensors"
    path.write_bytes(with_header(header))
    refused(path, "not a whole safetensors file|has no card")


def test_ten_thousand_weights_are_refused_without_building_a_network_of_them(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = {f"{i:x}": entry for i in range(10_000)} | {"__metadata__": metadata(blocks=256)}
    (tmp_path / "many.safetensors").write_bytes(with_header(json.dumps(header).encode()))
    refused(tmp_path / "many.safetensors", "weights: do not fit")


@pytest.mark.parametrize(
    "card",
    ["", "null", "[]", '"x"', "{", '{"name": "x"}', '{"network": {}}', "[" * 100_000]
    + [json.dumps({"name": "x", "network": network}) for network in (None, 3, [], {"depth": 1}, {"width": 0})]
    + [json.dumps({"name": "x", "network": {"width": width}}) for width in ("2", 2.0, True, None, [2], -1)]
    + [f'{{"name": "x", "network": {{"width": {width}}}}}' for width in ("NaN", "1e999", "4097", "9" * 4000)]
    + [json.dumps({"name": "x", "network": {"blocks": blocks}}) for blocks in (257, 10**9)]
    + [json.dumps({"name": "x", "network": {"output": output}}) for output in ("tanh", 1, None, ["sigmoid"])],
)
def test_a_card_that_makes_no_sense_is_refused(tmp_path: Path, network: TransformerNet, card: str) -> None:
    path = tmp_path / "strange.safetensors"
    save_file(dict(network.state_dict()), path, {CARD_KEY: card})
    refused(path, "has no card")


def test_a_file_without_a_card_is_refused(tmp_path: Path, network: TransformerNet) -> None:
    save_file(dict(network.state_dict()), tmp_path / "plain.safetensors")
    refused(tmp_path / "plain.safetensors", "has no card")


@pytest.mark.parametrize("settings", [{"width": 3}, {"blocks": 2}, {"width": 4096}, {"blocks": 256}, {"fold": 2}])
def test_a_card_that_promises_another_network_is_refused_without_building_it(
    style_file: Path, settings: dict[str, int]
) -> None:
    save_file(load_file(style_file), style_file, metadata(**settings))
    refused(style_file, "weights: do not fit the network on its card")


def test_a_card_cannot_ask_for_any_number_of_waves(style_file: Path) -> None:
    save_file(load_file(style_file), style_file, metadata(waves=65))  # each costs memory for every pixel
    refused(style_file, "has no card")
    with pytest.raises(UserError, match="waves must be at most 64, got 65"):
        NetworkSettings(waves=65)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: value.double(), "do not fit"),
        (lambda value: value.to(torch.int32), "do not fit"),
        (lambda value: value[:1].clone(), "do not fit"),
        (lambda value: value * torch.nan, "NaN or infinite"),
        (lambda value: value / 0, "NaN or infinite"),
    ],
)
def test_weights_of_the_wrong_kind_are_refused(
    style_file: Path, change: Callable[[torch.Tensor], torch.Tensor], reason: str
) -> None:
    weights = load_file(style_file)
    weights["layers.0.weight"] = change(weights["layers.0.weight"])
    save_file(weights, style_file, metadata())
    refused(style_file, f"weights: {reason}")


def test_a_missing_and_an_additional_weight_are_refused(style_file: Path) -> None:
    weights = load_file(style_file)
    save_file({**weights, "more": torch.zeros(3)}, style_file, metadata())
    refused(style_file, "weights: do not fit")
    del weights["layers.0.weight"]
    save_file(weights, style_file, metadata())
    refused(style_file, "weights: do not fit")
