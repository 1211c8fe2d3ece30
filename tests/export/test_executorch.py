"""The ExecuTorch export: equal to PyTorch within 1 of 255 at its one size, by ExecuTorch's own runtime."""

import sys
from pathlib import Path

import pytest
import torch

from stylenet.cli.main import main
from stylenet.models.style_file import read_style


@pytest.mark.usefixtures("without_type_checks")
def test_the_file_gives_the_images_of_pytorch(folder: Path) -> None:
    runtime = pytest.importorskip("executorch.runtime", reason="needs the extra executorch")
    assert main(["export", "night", "--format", "executorch"]) == 0
    method = runtime.Runtime.get().load_program("night.pte").load_method("forward")
    photo = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    network, _ = read_style(folder / "checkpoints/night.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(method.execute([photo])[0], network(photo), atol=0.5 / 255, rtol=0)
    assert str(folder).encode() not in Path("night.pte").read_bytes()
    assert b"site-packages" not in Path("night.pte").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "executorch", "-o", "night.onnx"], "-o must end in .pte, got night.onnx"),
        (["--format", "executorch", "--channels", "4"], "--channels 4 is for ONNX: an ExecuTorch file takes RGB"),
        (["--format", "executorch"], "the ExecuTorch export needs executorch: pip install 'stylenet[executorch]'"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    for name in ("executorch", "executorch.exir"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["export", "night", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path("night.pte").exists()
