"""Checkpoints of other programs: the network that they mean, and untrusted ones."""

import io
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from infer_command import ROOT
from torch import Tensor

from stylenet.cli.main import run_command
from stylenet.models.style_file import read_card, read_style

State = dict[str, Tensor]
WRITE = {"new": {}, "before 1.6": {"_use_new_zipfile_serialization": False}}


def random_state(width: int, blocks: int = 5, statistics: bool = False) -> State:
    """Weights of a network with the published layout, big enough for pictures that reach both ends of the range."""
    generator = torch.Generator().manual_seed(width)
    state: State = OrderedDict()

    def convolution(name: str, inputs: int, outputs: int, size: int, level: float = 0.0) -> None:
        state[f"{name}.conv2d.weight"] = torch.randn(outputs, inputs, size, size, generator=generator) / size
        state[f"{name}.conv2d.bias"] = torch.randn(outputs, generator=generator) + level

    def norm(name: str, channels: int) -> None:
        state[f"{name}.weight"] = 1 + 0.3 * torch.randn(channels, generator=generator)
        state[f"{name}.bias"] = torch.randn(channels, generator=generator)
        if statistics:
            state[f"{name}.running_mean"], state[f"{name}.running_var"] = torch.randn(2, channels)

    sides = [3, width, 2 * width, 4 * width]
    for i, size in enumerate((9, 3, 3)):
        convolution(f"conv{i + 1}", sides[i], sides[i + 1], size)
        norm(f"in{i + 1}", sides[i + 1])
    for i in range(1, blocks + 1):
        for j in (1, 2):
            convolution(f"res{i}.conv{j}", 4 * width, 4 * width, 3)
            norm(f"res{i}.in{j}", 4 * width)
    for i in (1, 2):
        convolution(f"deconv{i}", sides[4 - i], sides[3 - i], 3)
        norm(f"in{i + 3}", sides[3 - i])
    convolution("deconv3", width, 3, 9, level=128.0)
    state["deconv3.conv2d.weight"] *= 60
    state["conv1.conv2d.weight"] *= 1e-3  # so faint that the norm behind it, with its epsilon, tells 255 from 1
    return state


def published(state: State, photo: Tensor) -> Tensor:
    """The published network as its description has it, in double precision: values in [0, 255] in, about that out."""
    state = {name: value.double() for name, value in state.items()}

    def convolution(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.conv2d.weight"]
        padded = F.pad(x, [weight.shape[-1] // 2] * 4, mode="reflect")
        return F.conv2d(padded, weight, state[f"{name}.conv2d.bias"], stride)

    def norm(x: Tensor, name: str) -> Tensor:
        spread, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        scale, shift = (state[f"{name}.{kind}"].view(1, -1, 1, 1) for kind in ("weight", "bias"))
        return (x - mean) / (spread + 1e-5).sqrt() * scale + shift

    x = photo.double()
    for i, stride in enumerate((1, 2, 2), start=1):
        x = norm(convolution(x, f"conv{i}", stride), f"in{i}").relu()
    for i in range(1, sum(name.endswith("in1.weight") for name in state)):  # all but the first are in blocks
        y = norm(convolution(x, f"res{i}.conv1"), f"res{i}.in1").relu()
        x = x + norm(convolution(y, f"res{i}.conv2"), f"res{i}.in2")
    for i in (1, 2):
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = norm(convolution(x, f"deconv{i}"), f"in{i + 3}").relu()
    return convolution(x, "deconv3")


@pytest.mark.parametrize("form", WRITE)
@pytest.mark.parametrize(
    ("width", "blocks", "statistics", "size"),
    [(4, 5, False, (32, 48)), (4, 5, True, (29, 18)), (3, 2, False, (23, 27)), (6, 1, True, (16, 30))],
)
@torch.inference_mode()
def test_the_picture_is_that_of_the_original_network(
    tmp_path: Path, form: str, width: int, blocks: int, statistics: bool, size: tuple[int, int]
) -> None:
    state = random_state(width, blocks, statistics)
    torch.save(state, tmp_path / "mosaic.pth", **WRITE[form])
    assert main([str(tmp_path / "mosaic.pth")]) == 0
    network, card = read_style(tmp_path / "mosaic.safetensors")
    assert (card.name, card.facts["converted_from"]) == ("mosaic", "mosaic.pth")
    photo = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = published(state, 255 * photo)
    assert expected.shape[-2:] == tuple(-(-side // 4) * 4 for side in size)  # theirs is rounded up to 4
    expected = expected[..., : size[0], : size[1]]
    assert 0.01 < (expected < 0).float().mean() < 0.5, "no test of the lower end"
    assert 0.01 < (expected > 255).float().mean() < 0.5, "no test of the upper end"
    torch.testing.assert_close(network(photo).double() * 255, expected.clamp(0, 255), atol=0.01, rtol=0)


def test_the_command_prints_the_next_one_and_replaces_nothing_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file, out = tmp_path / "a b.model", tmp_path / "new/c.safetensors"
    torch.save(random_state(2, 1), file)
    assert main([str(file), "-o", str(out), "--name", "Sea\x1b[2J"]) == 0
    assert capsys.readouterr().out == f"python {ROOT / 'infer.py'} PHOTO -s {out}\n"
    assert "\x1b" not in read_card(out).name
    assert main([str(file)]) == 0
    assert main([str(file)]) == 1
    assert "exists; choose another file with -o" in capsys.readouterr().err
    assert main([str(file), "-o", str(file)]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b.model", "a b.safetensors", "new"]


def main(arguments: list[str]) -> int:
    return run_command("convert", arguments)


class Payload:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def complaint(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("stylenet convert: error: ")
    assert captured.err.count("\n") == 1
    assert not path.with_suffix(".safetensors").exists()
    return captured.err


class Everything:
    """What any name is in."""

    def __contains__(self, _: object) -> bool:
        return True


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".model"])
@pytest.mark.parametrize("first_guard", [True, False])
def test_a_payload_never_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, suffix: str, first_guard: bool
) -> None:
    if not first_guard:  # weights_only is the second
        monkeypatch.setattr("stylenet.models.state_dict.NAMES", Everything())
    harm, path = tmp_path / "harm", tmp_path / f"strange{suffix}"
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps(Payload(harm), protocol))
        complaint(path, capsys)
    for options in WRITE.values():
        torch.save(random_state(2, 1) | {"conv1.conv2d.weight": Payload(harm)}, path, **options)
        assert "weights_only" in complaint(path, capsys)
    assert not harm.exists()
    pickle.loads(pickle.dumps(Payload(harm)))
    assert harm.exists()  # the payload is no dud


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("form", WRITE)
def test_a_truncated_checkpoint_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float, form: str
) -> None:
    torch.save(random_state(2, 1), tmp_path / "cut.pth", **WRITE[form])
    data = (tmp_path / "cut.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(data[: int(share * len(data))])
    assert "another kind of file or a damaged one" in complaint(tmp_path / "cut.pth", capsys)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: {}, "it has no conv1.conv2d.bias"),
        (lambda state: {"state_dict": state}, "it has no conv1.conv2d.bias"),
        (lambda state: [*state.values()], "wanted a PyTorch state dict"),
        (lambda state: state | {"fc\n.weight": torch.zeros(1)}, r"it also has 'fc\n.weight'"),
        (lambda state: {k: v for k, v in state.items() if k != "in4.bias"}, "it has no in4.bias"),
        (lambda state: state | {"res3.in1.bias": torch.zeros(8)}, "it has no res2."),
        (lambda state: state | {"in2.bias": torch.zeros(5)}, "in2.bias should be floats (4,), got torch.float32 (5,)"),
        (lambda state: state | {"in2.bias": torch.zeros(4, dtype=torch.long)}, "got torch.int64 (4,)"),
        (lambda state: state | {"in1.weight": torch.zeros(())}, "conv1.conv2d.weight should be floats (1, 3, 9, 9)"),
        (lambda state: state | {"in1.weight": torch.zeros(0)}, "a network's width must be at least 1"),
        (lambda state: state | {"in2.bias": torch.full((4,), torch.nan)}, "NaN or infinite"),
        (lambda state: state | {"in2.bias": torch.full((4,), 1e300, dtype=torch.double)}, "NaN or infinite"),
        (lambda state: state | {"in1.weight": torch.zeros(1).expand(2**40)}, "wanted a PyTorch state dict"),
    ],
)
def test_another_network_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[State], object], reason: str
) -> None:
    torch.save(change(random_state(2, 1)), tmp_path / "other.pth")
    assert reason in complaint(tmp_path / "other.pth", capsys)


def doubled(times: int) -> bytes:
    """A pickle of a few bytes for each doubling of a text, by a function that torch allows."""
    text = b"c_codecs\nencode\nX\x02\x00\x00\x00aaX\x06\x00\x00\x00latin1\x86R"
    for _ in range(times):
        text = b"c_codecs\nencode\n" + text + b"X\x03\x00\x00\x00hex\x86R"
    return b"\x80\x02}X\x01\x00\x00\x00a" + text + b"s."


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(f"archive/{name}", data)
    return buffer.getvalue()


def bombs() -> dict[str, bytes]:
    """Files of at most 300 KB that ask for gigabytes."""
    buffer = io.BytesIO()
    torch.save({"in1.weight": torch.zeros(1 << 26)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        entries = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    return {
        "text": zipped({"data.pkl": doubled(36), "version": b"3\n", "byteorder": b"little"}),
        "text under another name": zipped({"DATA.PKL": doubled(36), "version": b"3\n", "byteorder": b"little"}),
        "old text": doubled(36),
        "deflated": zipped(entries, zipfile.ZIP_DEFLATED),
    }


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """Under a limit that the small file's own reading fits into."""
    code = """
import resource, sys
from pathlib import Path
from stylenet.models.state_dict import read_state_dict
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)
for path in map(Path, sys.argv[1:]):
    try:
        read_state_dict(path)
    except ValueError as error:
        assert type(error.__cause__) is ValueError, error.__cause__  # and no lack of memory
    else:
        raise AssertionError(path)
"""
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
        assert len(data) < 300_000
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_no_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    for path in (tmp_path / "pipe.pth", tmp_path / "missing\n.pth", Path()):
        assert "there is no file" in complaint(path, capsys) if path.name else main([""]) == 1


def test_a_file_that_cannot_be_opened_is_not_called_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.pth").write_bytes(b"anything")
    monkeypatch.setattr(Path, "open", lambda path, *_: os.open(tmp_path / "none" / path.name, os.O_RDONLY))
    assert main([str(tmp_path / "theirs.pth")]) == 1
    assert "theirs.pth cannot be used: No such file or directory" in capsys.readouterr().err
