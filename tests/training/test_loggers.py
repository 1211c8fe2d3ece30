"""Trackers: which are chosen, what they log, and that their errors end no training."""

import logging
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from pytorch_lightning.loggers import Logger
from trackers import names_in_csv, names_in_tensorboard, names_in_trackio, names_in_wandb

from stylenet.errors import UserError
from stylenet.training.loggers import (
    check_loggers,
    chosen_trackers,
    close_loggers,
    log_metrics,
    log_settings,
    log_sheet,
    open_loggers,
    unused_settings,
)
from stylenet.training.loggers.guarded import GuardedLogger
from stylenet.training.settings import Logging, Settings

ROOT = Path(__file__).resolve().parents[2]
METRICS = {"loss/total": 2.5, "held_out/style": 0.25}
SHEET = torch.full((8, 12, 3), 100, dtype=torch.uint8)
TENSORBOARD = {
    "use": {"tensorboard": yaml.safe_load((ROOT / "configs/logger/tensorboard.yaml").read_text())["use"]["tensorboard"]}
}


class Recorder(Logger):
    """Keeps what it is given; what is listed in `refuses` it refuses."""

    refuses: frozenset[str] = frozenset()

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments, self.calls = arguments, []
        self.take("construction")

    def take(self, kind: str, *values: Any) -> None:
        if kind in self.refuses:
            raise RuntimeError(f"no {kind}\nmore about it")
        self.calls.append((kind, *values))

    def open(self) -> None:
        self.take("start")

    def close(self) -> None:
        self.take("end")

    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        self.take("settings", params)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.take("metrics", metrics, step)

    def log_image(self, key: str, images: list[Any], step: int) -> None:
        self.take("image", key, images[0].shape, step)

    @property
    def name(self) -> str:
        return "recorder"

    @property
    def version(self) -> str:
        return "1"


def recorder(**arguments: Any) -> Logging:
    return Logging(use={"mine": {"_target_": f"{__name__}.Recorder", **arguments}})


def logged(folder: Path, settings: Logging) -> list[Logger]:
    loggers = open_loggers(folder, "wave", settings)
    log_settings(loggers, {"steps": 4})
    log_metrics(loggers, METRICS, 3)
    log_sheet(loggers, SHEET, 3)
    close_loggers(loggers)
    return loggers


def inner(loggers: list[Logger]) -> Recorder:
    guarded = loggers[1]
    assert isinstance(guarded, GuardedLogger)
    assert isinstance(guarded.logger, Recorder)
    return guarded.logger


def composed(*overrides: str) -> Logging:
    ConfigStore.instance().store("settings", Settings)
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        settings: Any = OmegaConf.to_object(compose("train", ["style=wave", *overrides]))
    return settings.logger  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], ["wandb"]),
        (["logger=csv"], []),
        (["logger=tensorboard"], ["tensorboard"]),
        (["logger=[trackio,tensorboard,csv]"], ["trackio", "tensorboard"]),
        (["logger.wandb=false"], []),
        (["logger=[wandb,trackio]", "logger.wandb=false"], ["trackio"]),
        (["logger=csv", "logger.wandb=true"], ["wandb"]),
    ],
)
def test_the_group_and_its_switch_choose_the_trackers(
    overrides: list[str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert list(chosen_trackers(composed(*overrides))) == names


def test_a_run_folder_from_before_the_group_has_the_tracker_that_it_named() -> None:
    assert list(chosen_trackers(Logging(wandb=True))) == ["wandb"]


def test_wandb_can_be_disabled_by_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert list(chosen_trackers(composed("logger=[wandb,tensorboard]"))) == ["tensorboard"]


def test_every_logger_of_the_group_that_needs_an_extra_names_one_that_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for path in (ROOT / "configs/logger").glob("*.yaml"):
        for tracker in yaml.safe_load(path.read_text())["use"].values():
            assert tracker.get("_install_", "stylenet[dev]").removeprefix("stylenet[").removesuffix("]") in extras


@pytest.mark.parametrize(
    ("tracker", "unused"),
    [
        ("wandb", []),
        ("trackio", ["logger.entity"]),
        ("tensorboard", ["logger.project", "logger.entity", "logger.tags"]),
        ("csv", ["logger.project", "logger.entity", "logger.tags"]),
    ],
)
def test_settings_that_a_tracker_does_not_take_are_known(tracker: str, unused: list[str]) -> None:
    use = yaml.safe_load((ROOT / f"configs/logger/{tracker}.yaml").read_text())["use"]
    given = Logging(project="team/mine", tags=["first"])
    assert unused_settings(use.get(tracker, {}), given) == unused
    assert unused_settings(use.get(tracker, {}), Logging()) == []


def test_a_setting_that_a_tracker_does_not_take_is_told(caplog: pytest.LogCaptureFixture) -> None:
    check_loggers(Logging(wandb=False, tags=["first"]))
    assert caplog.messages == ["the logger csv does not take logger.tags"]


def test_a_tracker_gets_the_settings_that_hold_for_all(tmp_path: Path) -> None:
    settings = recorder(a="{project}", b="{entity}", c="{tags}", d="{folder}/x", e="{run}, {style}", f=3)
    settings.project, settings.tags = "team/name", ["first", "try"]
    folder = tmp_path / "2026"
    folder.mkdir()
    assert inner(logged(folder, settings)).arguments == {
        "a": "name", "b": "team", "c": ["first", "try"], "d": f"{folder}/x", "e": "wave 2026, wave", "f": 3,
    }  # fmt: skip


def test_a_tracker_is_started_fed_and_ended(tmp_path: Path) -> None:
    assert inner(logged(tmp_path, recorder())).calls == [
        ("construction",),
        ("start",),
        ("settings", {"steps": 4}),
        ("metrics", METRICS, 3),
        ("image", "sheet", (8, 12, 3), 3),
        ("end",),
    ]


@pytest.mark.parametrize("call", ["start", "settings", "metrics", "image", "end"])
def test_an_error_of_a_tracker_is_one_line_and_the_other_loggers_go_on(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Recorder, "refuses", frozenset({call}))
    with caplog.at_level(logging.WARNING):
        loggers = logged(tmp_path, recorder())
        log_metrics(loggers, METRICS, 4)
    assert [record.getMessage() for record in caplog.records] == [
        f"logger mine failed, training continues without it: RuntimeError: no {call}"
    ]
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 3


def test_a_csv_file_that_could_not_be_written_for_a_while_has_all_rows_in_the_end(tmp_path: Path) -> None:
    loggers = open_loggers(tmp_path, "wave", Logging())
    (tmp_path / "metrics.csv").mkdir()
    log_metrics(loggers, METRICS, 1)
    (tmp_path / "metrics.csv").rmdir()
    log_metrics(loggers, METRICS, 2)
    assert [line.split(",")[-1] for line in (tmp_path / "metrics.csv").read_text().splitlines()] == ["step", "1", "2"]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Logging(project="a/b/c"), "must be name or team/name, got a/b/c"),
        (Logging(project="/b"), "must be name or team/name, got /b"),
        (Logging(project="a/b", entity="c"), "names the team a, the entity is c"),
        (Logging(use={"x": {"_target_": "os.system", "command": "true"}}), "os.system is not a Lightning logger"),
        (Logging(use={"x": {}}), "None is not a Lightning logger"),
        (Logging(use={"x": {"_target_": "no_such.Thing"}}), "the logger x cannot be used: .*no_such"),
        (Logging(use={"x": {"_target_": "no_such.Thing", "_install_": "s[x]"}}), r"pip install 's\[x\]'"),
        (Logging(use={"csv": {"_target_": "pytorch_lightning.loggers.CSVLogger", "no": 1}}), "logger csv .* 'no'"),
        (Logging(wandb=True, project="a:b"), "the logger wandb cannot be used: .*Invalid project name 'a:b'"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line_before_anything_is_made(
    settings: Logging, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^[^\n]*{text}"):
        check_loggers(settings)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(UserError, match=r"the logger trackio .*: pip install 'stylenet\[trackio\]'$"):
        check_loggers(composed("logger=trackio"))


def test_tensorboard_has_the_names_of_the_csv_file(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets/000003.jpg").touch()
    logged(tmp_path, Logging(**TENSORBOARD))
    assert names_in_csv(tmp_path) == names_in_tensorboard(tmp_path) == {*METRICS, "sheet"}


@pytest.mark.slow  # wandb starts a process of its own
def test_wandb_has_the_names_of_the_csv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    logged(tmp_path, Logging(wandb=True))
    assert names_in_wandb(tmp_path) == {*METRICS, "sheet"}


def test_trackio_has_the_names_of_the_csv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    pytest.importorskip("trackio")
    logged(tmp_path, composed("logger=trackio"))
    assert names_in_trackio("stylenet") == {*METRICS, "sheet"}
