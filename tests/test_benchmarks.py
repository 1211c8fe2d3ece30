"""The benchmarks that no test of something else runs: what a GPU is wanted for, dry on a CPU."""

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lacking import without
from runs import ROOT
from service_client import save_gallery, save_tiny
from torch.autograd import DeviceType

from stylenet.models.style_file import read_card

BENCHMARKS = ROOT / "benchmarks"
SMALL = [
    "network.width=4",
    "network.blocks=1",
    "crop=32",
    "batch=1",
    "steps=4",
    "init=null",
    "logger.wandb=false",
    "loss.content_layers=[relu1_2]",
    "loss.style_layers=[relu1_1]",
    "loss.full_size_layers=[relu1_1]",
    "style.size=32",
]


@pytest.fixture
def networks(
    tmp_path: Path, tiny_vgg_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[str]]]:
    """Runs `networks.py` in this process; gives its exit code, and the networks that got a card."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, change: Callable[[dict[str, Any]], None] = lambda found: None) -> tuple[int, list[str]]:
        cards: list[str] = []
        found = runpy.run_path(str(BENCHMARKS / "networks.py"))
        names = found["main"].__globals__
        names |= {"halve": lambda file: None, "write_index": lambda: None}
        names["write_page"] = lambda file, settings: cards.append(file.stem)
        change(names)
        weights = f"loss_network.weights={tiny_vgg_file}"
        monkeypatch.setattr(sys, "argv", ["networks.py", *words, *SMALL, weights])
        handler = signal.getsignal(signal.SIGTERM)
        try:
            return found["main"](), cards
        finally:
            signal.signal(signal.SIGTERM, handler)

    return run


def test_networks_are_trained_in_pieces_and_only_once(
    networks: Callable[..., tuple[int, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylenet.training import module

    real = module.total_of

    def stopping(values: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)  # as at the end of the time
        return real(values)

    with monkeypatch.context() as patched:
        patched.setattr(module, "total_of", stopping)
        assert networks("wave", "starry-tiny") == (75, [])
    assert networks("wave", "starry-tiny") == (0, ["wave", "starry-tiny"])
    assert len(list(Path("outputs/wave").iterdir())) == 1
    assert {read_card(file).facts["training"]["steps"] for file in Path("checkpoints").glob("*.safetensors")} == {4}
    assert read_card(Path("checkpoints/starry-tiny.safetensors")).network.fold == 2

    def none_left(names: dict[str, Any]) -> None:
        names["train"] = lambda *_, **__: pytest.fail("trained again")

    assert networks("wave", "starry-tiny", change=none_left) == (0, ["wave", "starry-tiny"])


def test_a_network_that_fails_does_not_end_the_others(networks: Callable[..., tuple[int, list[str]]]) -> None:
    assert networks("nobody", "wave") == (1, ["wave"])


def test_networks_need_none_of_the_command_lines_packages(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([without(tmp_path / "lacking"), str(ROOT)])}
    command = [sys.executable, str(BENCHMARKS / "networks.py"), "wave", "sterps=1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "wave: there is no setting sterps\n", "")


def test_a_kernel_of_a_gpu_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    by_kind = runpy.run_path(str(BENCHMARKS / "profiling.py"))["by_kind"]

    def event(key: str, kind: DeviceType, microseconds: float) -> SimpleNamespace:
        return SimpleNamespace(key=key, device_type=kind, self_device_time_total=microseconds, self_cpu_time_total=1e9)

    events = [event("aten::cudnn_convolution", DeviceType.CPU, 6000), event("sm90_gemm", DeviceType.CUDA, 6000)]
    assert by_kind(events, True) == {"convolutions": 2.0}  # of three steps


def test_trainings_in_another_folder_find_what_was_typed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path(str(BENCHMARKS / "paintings.py"))
    for name in ("my photos=1", "vgg 1%.pth", "starry"):
        Path(name).mkdir()
    settings = ["data.path=my photos=1", "loss_network.weights=vgg 1%.pth", "init=wave", "style.name=starry", "steps=2"]
    typed, changed = found["split"](["out", "p.jpg", "--", *settings])
    weights = f"{tmp_path}/vgg 1%.pth"
    assert typed == ["out", "p.jpg"]
    assert changed[:2] == [f"data.path={tmp_path}/my photos=1", f"loss_network.weights={weights}"]
    assert changed[2:] == ["init=wave", "style.name=starry", "steps=2"]
    assert [found["absolute"](text) for text in ("torchvision", "vgg 1%.pth")] == ["torchvision", weights]


def test_a_painting_that_fails_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = runpy.run_path(str(BENCHMARKS / "paintings.py"))
    names = found["main"].__globals__

    def trained(folder: Path, painting: Path, settings: list[str]) -> Path:
        if painting.name == "bad.jpg":
            raise names["FailedError"]("train failed")
        return painting

    names |= {"trained": trained, "figures": lambda *_: {"style": 0.5, "complaints": ["pale"]}}
    monkeypatch.setattr(sys, "argv", ["paintings.py", str(tmp_path), "bad.jpg", "my painting (1).jpg"])
    assert found["main"]() == 1
    captured = capsys.readouterr()
    assert captured.err == "bad.jpg: train failed\n"
    assert "| my painting (1) |  | 0.5 |" in captured.out


def test_strips_are_compared_for_every_network_of_one_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stylenet.models.catalog.SHIPPED", tmp_path / "none")
    save_tiny(tmp_path / "checkpoints/night.safetensors")
    save_gallery(tmp_path / "checkpoints/gallery.safetensors", "a", "b")
    found = runpy.run_path(str(BENCHMARKS / "strips.py"))
    monkeypatch.setattr(sys, "argv", ["strips.py"])
    found["main"].__globals__["stylized"] = lambda style, dtype, share, photo: photo * share / dtype.itemsize
    found["main"]()
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[2:]] == ["night"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_script_for_a_gpu_runs_dry_on_a_cpu(tmp_path: Path, tiny_vgg_file: Path) -> None:
    path = os.pathsep.join([without(tmp_path / "lacking"), str(ROOT)])
    settings = {"PYTHON": sys.executable, "SIZES": "32", "COMPILE": "", "BATCH": "1", "CROP": "32"}
    command = ["bash", str(BENCHMARKS / "gpu.sh"), "results", "20", "wave", *SMALL]
    weights = f"loss_network.weights={tiny_vgg_file}"
    for _ in range(2):  # the second time there is nothing left to do
        done = subprocess.run(
            [*command, weights],
            cwd=tmp_path,
            env={**os.environ, **settings, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert "of the bf16 rate" not in done.stdout
    found = {file.name for file in (tmp_path / "results").iterdir()}
    assert found == {"stylize.md", "training.md", "profiling.md", "outputs", "checkpoints"}
    assert (tmp_path / "results/checkpoints/wave.md").is_file()
