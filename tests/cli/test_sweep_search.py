"""Searches over settings: the configuration, the objective, the record, and the lines of the documentation."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from run_folders import make_run

from stylenet.cli import train_hydra
from stylenet.cli.sweep_record import check_study, finish_sweep, record_run
from stylenet.errors import UserError
from stylenet.report.sweep import Record, read_records, write_record
from stylenet.training import loggers
from stylenet.training.checks import find_machine
from stylenet.training.limits import check_values
from stylenet.training.objective import check_objective, objective_value
from stylenet.training.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def composed(*overrides: str, hydra: bool = True) -> Any:
    ConfigStore.instance().store("settings", Settings)
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return compose("train", ["style=wave", *overrides], return_hydra_config=hydra)


def test_the_search_keeps_its_study_in_its_own_folder() -> None:
    pytest.importorskip("optuna")
    hydra = composed("sweep=search", "hydra.sweeper.study_name=mine").hydra
    assert hydra.sweep.dir == "outputs/sweeps/mine"
    assert hydra.sweeper.storage == "sqlite:///outputs/sweeps/mine/study.db"
    assert set(hydra.sweeper.params) == {"loss.weights.style", "style.size", "learning_rate"}


@pytest.mark.parametrize(
    ("package", "overrides"),
    [
        ("hydra_plugins.hydra_joblib_launcher", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]),
        (
            "hydra_plugins.hydra_submitit_launcher",
            ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu", "hydra.launcher.gpus_per_node=1"],
        ),
    ],
)
def test_the_launchers_of_the_documentation_compose(package: str, overrides: list[str]) -> None:
    pytest.importorskip(package)
    assert composed("sweep=search", *overrides).hydra.launcher._target_.startswith(package)
    assert all(override in (ROOT / "docs/sweeps.md").read_text() for override in overrides)


def test_the_lines_of_the_documentation_compose_and_suit_the_trainer() -> None:
    lines = re.findall(
        r"`python train.py (style=starry [^`]*(?:trainer|patience)[^`]*)`", (ROOT / "docs/experiments.md").read_text()
    )
    assert len(lines) == 4
    for line in lines:
        settings = composed(*(re.sub(r"^trainer", "++trainer", word) for word in line.split()[1:]), hydra=False)
        check_values(OmegaConf.to_object(settings))
        assert find_machine({**settings.trainer, "accelerator": "cpu"}).devices == 1


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        ("held_out/style", 0.25),
        ("style", 0.25),
        ("held_out/content+held_out/style", 1.0),
        ("held_out/nothing", math.nan),
    ],
)
def test_the_objective_is_a_held_out_figure_or_a_sum(objective: str, value: float) -> None:
    found = objective_value(objective, {"content": 0.75, "style": 0.25})
    assert found == value or (math.isnan(value) and math.isnan(found))


def test_a_sweep_records_good_and_failed_runs_and_ends_with_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "outputs/wave/2026-11-25_10-00-00", weight=12.0)
    monkeypatch.setattr(loggers, "run_folders", [run])
    sweep = tmp_path / "outputs/sweeps/mine"
    sweep.mkdir(parents=True)
    good = record_run(sweep, 0, ["sweep=search", "style=wave", r"init='it\'s.pt'"], "held_out/style", None, "train.py")
    bad = record_run(sweep, 1, ["style=none"], "held_out/style", ValueError("no such style\nmore"), "stylenet train")
    assert (good, math.isnan(bad)) == (0.12, True)
    assert [record.error for record in read_records(sweep)] == ["", "no such style"]
    assert read_records(sweep)[0].typed == """python train.py style=wave 'init=it'"'"'s.pt'"""
    assert finish_sweep(sweep) == 1
    assert "no such style" in (sweep / "report.html").read_text()


@pytest.mark.parametrize("objective", ["held_out/chroma", "style+held_out/texture", "held_out/nothing", ""])
def test_an_objective_that_cannot_be_minimized_is_refused_before_any_run(
    objective: str, here: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for sweep in ("sweep=search", "batch=1,2"):
        assert here("-m", sweep, "style=wave", f"objective={objective}") == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert "objective is minimized and must be one of held_out/content, " in line
    with pytest.raises(UserError, match="objective is minimized"):  # also from a file in configs/sweep/
        check_objective(objective)
    assert not list(tmp_path.iterdir())


def test_a_figure_that_many_paintings_do_not_have_is_refused_before_any_run(
    here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert here("-m", "batch=1,2", "styles=paintings", "objective=held_out/color_sw") == 1
    assert "objective=held_out/color_sw is of one painting" in capfd.readouterr().err


def test_a_search_without_its_option_is_not_taken_for_one_run(
    here: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert here("sweep=search", "style=wave") == 1
    assert "error: sweep=search makes several runs and needs -m before it" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_search_is_not_maximized(here: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    assert here("-m", "sweep=search", "style=wave", "hydra.sweeper.direction=maximize") == 1
    assert "hydra.sweeper.direction must be minimize" in capfd.readouterr().err


def test_a_search_whose_runs_all_fail_ends_in_one_line(
    here: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    assert here("-m", "sweep=search", "style=wave", "batch=-1", "hydra.sweeper.n_trials=2") == 1
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert "error: 2 of 2 runs failed, the last one: batch must be at least 1, got -1" in err.splitlines()[-1]
    assert (tmp_path / "outputs/sweeps/search/report.html").exists()


def test_a_study_is_resumed_by_the_same_search_only(tmp_path: Path) -> None:
    asked = ["sweep=search", "style.image='a b.jpg'", "minutes=2"]
    check_study(tmp_path, asked, "held_out/style")
    check_study(tmp_path, asked[::-1], "held_out/style")
    for others, objective in ((["sweep=search", "style=starry"], "held_out/style"), (asked, "held_out/content")):
        with pytest.raises(UserError, match=r"another search \(minutes=2 style.image=a b.jpg sweep=search, objective"):
            check_study(tmp_path, others, objective)


def test_a_study_that_does_not_say_what_it_searched_is_not_resumed(tmp_path: Path) -> None:
    write_record(tmp_path, Record(0, ["style=wave"]))
    with pytest.raises(UserError, match=r"holds another search; hydra\.sweeper\.study_name=NAME"):
        check_study(tmp_path, ["sweep=search", "style=wave"], "held_out/style")


def test_another_search_in_the_same_folder_ends_in_one_line(
    here: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    for style in ("wave", "starry"):
        assert here("-m", "sweep=search", f"style={style}", "batch=-1", "hydra.sweeper.n_trials=2") == 1
    assert "error: outputs/sweeps/search holds another search" in capfd.readouterr().err.splitlines()[-1]
    assert len(read_records(tmp_path / "outputs/sweeps/search")) == 2


def test_a_signal_ends_the_search_and_counts_nothing(
    here: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    begun: list[object] = []
    monkeypatch.setattr(train_hydra, "run_once", lambda _, overrides: begun.append(overrides) or 143)
    assert here("-m", "sweep=search", "style=wave", "hydra.sweeper.n_trials=2") == 143
    assert (len(begun), read_records(tmp_path / "outputs/sweeps/search")) == (1, [])
