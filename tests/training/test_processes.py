"""Training on two devices, here two processes of one CPU: as one process would with the whole batch."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import ROOT, SMALL

from stylenet.distributed import CHECKPOINT, FOLDER, LIGHTNINGS, export_worker_context, one_run, worker_context
from stylenet.models.style_file import read_card
from stylenet.training.run_folder import read_settings

TERMS = ("loss/content", "loss/style", "loss/tv", "loss/stability", "loss/total")
# With larger steps, Adam makes what is rounded differently visible: it divides gradients near 0 by their own size.
STEPS = ("steps=4", "batch=4", "learning_rate=5e-5", "trainer.precision=32-true", "loss.weights.stability=1")


def trained(folder: Path, *arguments: str) -> list[list[float]]:
    """The losses of each step. Nothing may be left of a second process but what it learned."""
    folder.mkdir()
    command = [sys.executable, str(ROOT / "train.py"), "style=wave", *SMALL, *STEPS, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("infer.py PHOTO") == 1
    (run,) = (folder / "outputs" / "wave").iterdir()
    assert read_card(run / "wave.safetensors").facts["training"]["steps"] == 4
    rows = csv.DictReader((run / "metrics.csv").open())
    return [[float(row[term]) for term in TERMS] for row in rows if row["loss/total"]]


def test_two_processes_learn_as_one(tmp_path: Path, tiny_vgg_file: Path) -> None:
    weights = f"loss_network.weights={tiny_vgg_file}"
    alone = trained(tmp_path / "one", weights)
    together = trained(tmp_path / "two", weights, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    assert len(alone) == 4
    for one, two in zip(alone, together, strict=True):
        assert two == pytest.approx(one, rel=1e-4)


def test_nothing_of_a_run_reaches_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a second run in a sweep would otherwise be those of the first, and train its painting."""
    for name in (FOLDER, CHECKPOINT, *LIGHTNINGS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MASTER_PORT", "1234")  # of a cluster
    with one_run():
        export_worker_context(Path("first"), None)
        os.environ |= {"LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "4321"}
        assert worker_context() == (Path("first").absolute(), None)
    assert worker_context() is None
    assert {name for name in (FOLDER, CHECKPOINT, *LIGHTNINGS) if name in os.environ} == {"MASTER_PORT"}
    assert os.environ["MASTER_PORT"] == "1234"


SCRIPT = """
import sys
from stylenet import train
weights, *_ = sys.argv[1:]
for name, rate in (("wave", 1e-4), ("starry", 2e-4)):
    trainer = {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "precision": "32-true"}
    settings = dict(steps=2, batch=2, crop=32, learning_rate=rate, init=None, trainer=trainer)
    from stylenet.training.settings import Logging, LossNetwork
    result = train(name, loss_network=LossNetwork(weights=weights), logger=Logging(wandb=False), **settings)
    print(name, result.metrics["held_out/style_ratio"] > 0, flush=True)
"""


def test_a_script_goes_on_in_its_own_process_alone(tmp_path: Path, tiny_vgg_file: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "script.py", str(tiny_vgg_file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.endswith("True")] == ["wave True", "starry True"]
    for name, rate in (("wave", 1e-4), ("starry", 2e-4)):
        (run,) = (tmp_path / f"outputs/{name}").iterdir()
        assert read_settings(run)["learning_rate"] == rate
