"""`train.py -m`: several runs from one command line."""

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image
from run_folders import make_run
from runs import SMALL

from stylenet.cli.sweep import labels, sweep
from stylenet.cli.sweep_record import record_calls
from stylenet.cli.train_arguments import as_typed, in_grammar, quote
from stylenet.cli.train_hydra import end_if_stopped, stopped_code
from stylenet.errors import UserError
from stylenet.report.sweep import read_records
from stylenet.training import loggers

RUNS = [["style=starry", "batch=1"], ["style=own", "batch=1"], ["style=wave", "batch=1"]]


def failing(error: BaseException) -> Callable[[list[str]], int]:
    """Trains nothing, and fails where the style is `own`."""
    trained = []

    def train(run: list[str]) -> int:
        trained.append(run[0])
        if run[0] == "style=own":
            raise error
        return 0

    return train


@pytest.mark.parametrize("error", [UserError("no painting"), ZeroDivisionError("a bug")])
def test_a_run_that_fails_leaves_the_others_their_turn(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    trained = []
    fail = failing(error)
    assert sweep(RUNS, lambda run: trained.append(run[0]) or fail(run)) == 1  # type: ignore[func-returns-value]
    assert trained == ["style=starry", "style=own", "style=wave"]
    err = capsys.readouterr().err
    assert "error: style=own: " in err
    assert "2 of 3 runs done, failed: style=own (" in err.splitlines()[-1]
    assert ("Traceback" in err) == isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("error", [SystemExit(128 + signal.SIGTERM), KeyboardInterrupt()])
def test_a_signal_ends_the_sweep_and_the_rest_is_named(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(RUNS, failing(error)) == (130 if isinstance(error, KeyboardInterrupt) else 143)
    last = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 3 runs done, failed: style=own (stopped), not started: style=wave" in last


@pytest.mark.parametrize("ends", ["by its exit code", "by an exception"])
def test_a_run_of_a_grid_that_a_signal_stopped_has_no_objective(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(run: list[str]) -> int:
        if ends == "by an exception":
            raise SystemExit(143)
        return 143

    monkeypatch.setattr(loggers, "run_folders", [make_run(tmp_path / "outputs/wave/2026-11-25_10-00-00")])
    call = record_calls(train, tmp_path / "sweep")
    with suppress(SystemExit):
        assert call(["objective=held_out/style"]) == 143
    (record,) = read_records(tmp_path / "sweep")
    assert (record.objective, record.error) == (None, "stopped")


def test_a_search_ends_with_a_run_that_a_signal_stopped() -> None:
    end_if_stopped(1)
    with pytest.raises(SystemExit) as ended:
        end_if_stopped(143)
    assert stopped_code(ended.value) == 143
    with pytest.raises(SystemExit):
        stopped_code(SystemExit("of something else"))


def test_a_run_is_named_by_the_settings_of_its_own() -> None:
    assert labels(RUNS) == ["style=starry", "style=own", "style=wave"]
    assert labels([["style.image='a b.jpg'", "batch=1"]]) == ["style.image=a b.jpg batch=1"]
    assert labels([["++loss.weights.style=6"], ["++loss.weights.style=12"]]) == [
        "loss.weights.style=6",
        "loss.weights.style=12",
    ]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("style.image=a.jpg,b (1).jpg", "style.image='a.jpg','b (1).jpg'"),
        ("style.image=one, two.jpg", "style.image='one, two.jpg'"),
        ("init=auto,wave", "init=auto,'wave'"),
        ("style.image=choice(a.jpg,b.jpg)", "style.image=choice(a.jpg,b.jpg)"),
        ("learning_rate=interval(0,1)", "learning_rate=interval(0,1)"),
        ("style=glob(*)", "style=glob(*)"),
    ],
)
def test_in_a_sweep_commas_separate_paintings_unless_a_file_has_the_whole_name(
    typed: str, read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one, two.jpg").touch()
    assert in_grammar(["-m", typed]) == ["-m", read]


@pytest.mark.parametrize("typed", ["style.image=it's (1).jpg", "style.image=a\\", "loss.weights.style=3", "batch=2"])
def test_settings_are_shown_as_they_were_typed(typed: str) -> None:
    assert as_typed(quote(typed)) == typed


def test_without_a_sweep_a_comma_is_part_of_the_name() -> None:
    assert in_grammar(["style.image=a.jpg,b.jpg"]) == ["style.image='a.jpg,b.jpg'"]


def test_paintings_of_ones_own_in_a_sweep_where_one_is_missing(
    tmp_path: Path, here: Callable[..., int], tiny_vgg_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.jpg", "c d.jpg"):
        Image.effect_noise((40, 40), 80).convert("RGB").save(tmp_path / name)
    weights = f"loss_network.weights={tiny_vgg_file}"
    assert here("-m", "style.image=a.jpg,b.jpg,c d.jpg", "steps=1", weights, "init=null", *SMALL) == 1
    assert {path.stem for path in (tmp_path / "checkpoints").iterdir()} == {"a", "c-d"}
    err = capfd.readouterr().err
    assert "error: style.image=b.jpg: style.image must be an image file, but there is none at b.jpg" in err
    assert "2 of 3 runs done, failed: style.image=b.jpg" in err.splitlines()[-1]


def test_a_setting_that_is_wrong_in_one_run_fails_that_run(
    here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert here("-m", "style=nope,own", "steps=1") == 1
    err = capfd.readouterr().err
    assert "error: style=nope: In 'train': Could not find 'style/nope'" in err
    assert "error: style=own: no painting: style=NAME" in err
    assert "0 of 2 runs done" in err.splitlines()[-1]
