"""Reports: what is in them, what is not, and run folders that are damaged."""

import json
import math
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image
from run_folders import make_run, save_picture

from stylenet.cli.main import main
from stylenet.errors import UserError
from stylenet.models.style_file import Card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.report import write_report
from stylenet.report.curves import thin_out, ticks
from stylenet.report.page import settings_that_differ
from stylenet.report.runs import Run, read_run
from stylenet.report.sheets import find_cells, spread
from stylenet.report.sweep import Record, best_of, read_records, table, write_record
from stylenet.training.run_folder import lock_folder


def cells_of(text: str, row: int) -> list[str]:
    rows = re.findall(r"<tr.*?</tr>", text.split("<tbody>")[1])
    return [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", rows[row])]


def heads_of(text: str) -> list[str]:
    return re.findall(r"<th[^>]*><button>(.*?)</button>", text)


def test_a_row_has_what_differs_the_figures_minutes_and_device(tmp_path: Path) -> None:
    make_run(tmp_path / "wave/2026-11-25_10-00-00", weight=12.0)
    make_run(tmp_path / "wave/2026-11-25_11-00-00", weight=3.5, finished=False)
    text = write_report(tmp_path).read_text()
    assert heads_of(text) == [
        "Run", "Started", "loss.style_weight", "Steps", "style", "Minutes", "Device", "Style file", "Status",
    ]  # fmt: skip
    machine = "a test&#x27;s machine"
    assert cells_of(text, 0) == [
        "wave", "2026-11-25 10:00:00", "12", "100", "0.12", "1.5", machine, "wave.safetensors", "finished",
    ]  # fmt: skip
    assert cells_of(text, 1) == [
        "wave", "2026-11-25 11:00:00", "3.5", "95", "–", "–", machine, "–", "stopped at step 95 of 100",
    ]  # fmt: skip


def test_a_run_that_failed_before_it_had_a_folder_is_not_compared(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / f"wave/{number}", weight=number + 1.0)) for number in range(2)]
    failed = Run(Path(), "run 2", {"style": "wave", "batch": "-1"}, problem="batch must be at least 1, got -1")
    assert settings_that_differ([*runs, failed]) == settings_that_differ(runs)
    assert len(settings_that_differ(runs)) == 1


def test_a_run_that_is_going_is_not_called_stopped(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "wave/2026-11-25_10-00-00", finished=False)
    with lock_folder(folder):
        assert read_run(folder).status == "running, step 95 of 100"
    assert read_run(folder).status == "stopped at step 95 of 100"


def test_a_resumed_run_keeps_its_curves_before_it_writes_new_ones(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "wave/2026-11-25_10-00-00", finished=False)
    curves = read_run(folder).curves
    (folder / "metrics.csv").rename(folder / "metrics-1.csv")
    run = read_run(folder)
    assert run.curves == curves
    assert run.status == "stopped at step 95 of 100"


def test_of_two_networks_the_one_with_figures_is_the_runs(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    settings = NetworkSettings(2, 1)
    network, added = initialize(TransformerNet(settings), 0), {"training": {"training": {"steps": 3}}}
    facts = {"training": {"steps": 1293}, "styles": [added]}
    (folder / "wave.safetensors").unlink()
    save_style(folder / "a.safetensors", network, Card("a", settings, facts))
    assert read_run(folder).status == "stopped at step 3 of 100"
    save_style(folder / "b.safetensors", network, Card("b", settings, {**facts, "held_out": {"style": 0.1}}))
    run = read_run(folder)
    assert (run.name, run.done, run.status) == ("b", 3, "finished")


def test_names_that_are_no_utf_8_end_no_report(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config + 'strange: "caf\\uDCE9.jpg"\n')
    assert "caf?.jpg" in write_report(tmp_path).read_text()


def test_runs_have_their_names_from_within_their_folders_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path / "wave/2026-11-25_10-00-00", finished=False)
    for place in (folder, folder.parent):
        monkeypatch.chdir(place)
        assert cells_of(write_report(Path()).read_text(), 0)[:2] == ["wave", "2026-11-25 10:00:00"]


def test_sheets_that_cannot_be_read_are_counted_as_such(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    for sheet in (folder / "sheets").iterdir():
        sheet.write_bytes(sheet.read_bytes()[:100])
    text = write_report(tmp_path).read_text()
    assert "contact sheets that cannot be read" in text
    assert "No contact sheet is shown: they cannot be read." in text
    assert "to keep this file small" not in text


def test_everything_is_in_the_one_file(tmp_path: Path) -> None:
    make_run(tmp_path / "wave/2026-11-25_10-00-00")
    text = write_report(tmp_path).read_text()
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(addresses) >= 4
    assert all(address.startswith(("data:image/jpeg;base64,", "./", "#")) for address in addresses)
    assert "http:" not in text
    assert "https:" not in text


def test_links_lead_from_the_report_to_the_style_files(tmp_path: Path) -> None:
    run = make_run(tmp_path / "outputs/my painting: #1/2026-11-25_10-00-00")
    report = write_report(tmp_path / "outputs", tmp_path / "elsewhere/r.html")
    links = [unquote(link) for link in re.findall(r'href="(\./[^"]+)"', report.read_text())]
    assert [(report.parent / link).resolve() for link in links] == [
        run / "my painting: #1.safetensors",
        run / "my painting: #1.safetensors",
        run,
    ]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("config.yaml", b"a: [", "settings: "),
        ("config.yaml", b"\xff\xfe", "settings: "),
        ("config.yaml", b"- 1\n- 2", "settings: "),
        ("resolved.json", b"[]", "resolved: "),
        ("hparams.yaml", b"a: b", "record: "),
        ("wave.safetensors", b"nothing", "style: .*not a whole safetensors file"),
    ],
)
def test_a_broken_run_is_a_row_that_gives_the_reason(name: str, content: bytes, text: str, tmp_path: Path) -> None:
    make_run(tmp_path / "wave/2026-11-25_10-00-00")
    broken = make_run(tmp_path / "wave/2026-11-25_11-00-00")
    (broken / name).write_bytes(content)
    report = write_report(tmp_path).read_text()
    assert cells_of(report, 0)[-1] == "finished"
    assert re.match(text, cells_of(report, 1)[-1])


def test_a_run_that_ended_before_its_first_step_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "wave/2026-11-25_10-00-00").mkdir(parents=True)
    (tmp_path / "wave/2026-11-25_10-00-00/.lock").touch()
    assert "config.yaml is missing" in cells_of(write_report(tmp_path).read_text(), 0)[-1]


def test_rows_that_are_cut_off_and_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    (run / "metrics.csv").write_text("loss/total,step\n3.0,1\nnan,2\ninf,3\nx,4\n2.0,5\n1.0")
    assert read_run(run).curves == {"loss/total": [(1, 3.0), (5, 2.0)]}


def test_the_parts_of_a_resumed_run_are_one_curve_and_their_seconds_add_up(tmp_path: Path) -> None:
    run = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    (run / "metrics-1.csv").write_text("loss/total,speed/seconds,step\n9.0,,1\n8.0,,2\n,10.0,3\n")
    (run / "metrics-2.csv").write_text("loss/total,speed/seconds,step\n7.5,,2\n,20.0,4\n")
    (run / "metrics.csv").write_text("loss/total,speed/seconds,step\n5.0,,5\n,30.0,6\n")
    found = read_run(run)
    assert found.curves["loss/total"] == [(1, 9.0), (2, 7.5), (5, 5.0)]
    assert found.seconds == 60


def test_text_from_a_run_folder_is_no_markup(tmp_path: Path) -> None:
    run = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    make_run(tmp_path / "wave/2026-11-25_11-00-00")
    evil = "</script><script>alert(1)</script>"
    (run / "config.yaml").write_text(json.dumps({"seed": evil, evil: 1}))
    (run / "metrics.csv").write_text(f"loss/{evil},step\n1,1\n2,2\n")
    (run / "hparams.yaml").write_text(json.dumps({"versions": {"device": evil}}))
    text = write_report(tmp_path).read_text()
    assert "alert(1)" in text
    assert "<script>alert" not in text


def test_contact_sheets_are_reduced_until_the_file_is_small_enough(tmp_path: Path) -> None:
    for hour in range(10, 14):
        make_run(tmp_path / f"wave/2026-11-25_{hour}-00-00", sheets=30 if hour == 13 else 2, side=96)
    whole = write_report(tmp_path).read_text()
    assert whole.count("data:image") == 2 * 3 + 24
    assert "6 contact sheets left out" in whole
    for limit in (200_000, 60_000, 40_000):
        small = write_report(tmp_path, limit=limit)
        assert small.stat().st_size < limit
        assert "left out to keep this file small" in small.read_text()
        assert len(re.findall(r"<tr data-run", small.read_text())) == 4


def test_a_report_of_many_runs_keeps_to_the_limit(tmp_path: Path) -> None:
    for number in range(40):
        make_run(tmp_path / f"wave/2026-11-25_10-00-{number:02}", weight=number + 1.0, side=96)
    for limit, settings in ((1_060_000, True), (200_000, True), (66_000, False)):
        report = write_report(tmp_path, limit=limit)
        assert report.stat().st_size <= limit
        assert len(re.findall(r"<tr data-run", report.read_text())) == 40
        assert ("the settings of each run left out" in report.read_text()) != settings


def test_a_sheet_that_is_no_picture_is_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    (run / "sheets/000004.jpg").write_bytes(b"no picture")
    assert write_report(tmp_path).read_text().count("data:image") == 3


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_runs_is_one_line(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty/notes").mkdir(parents=True)
    assert main(["report", str(tmp_path / folder)]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].endswith("has no training runs" if folder == "empty" else "is not a folder")
    assert not (tmp_path / folder / "report.html").exists()


def test_the_command_prints_where_the_report_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(run / "report.html")]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    make_run(tmp_path / "wave/2026-11-25_10-00-00")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file/r\.html"):
        write_report(tmp_path, tmp_path / "file/r.html")


def test_the_photos_of_a_sheet_are_found(tmp_path: Path) -> None:
    run = make_run(tmp_path / "wave/2026-11-25_10-00-00", sheets=1, side=60)
    cells = find_cells(Image.open(run / "sheets/000001.jpg"))
    pixels = [(round(cell.left * (4 * 64 + 4 + 128)), round(cell.result_top * 128)) for cell in cells]
    assert pixels == [(0, 64), (64, 64), (128, 64), (192, 64)]


def test_a_picture_that_is_no_sheet_has_no_photos(tmp_path: Path) -> None:
    save_picture(tmp_path / "noise.jpg", (300, 100))
    assert find_cells(Image.open(tmp_path / "noise.jpg")) == ()


def test_sheets_are_spread_evenly_with_the_last_among_them() -> None:
    sheets = [(step, Path(str(step))) for step in range(1, 11)]
    assert [step for step, _ in spread(sheets, 3)] == [4, 7, 10]
    assert spread(sheets, 10) == sheets


def test_a_thinned_curve_keeps_its_ends_and_the_mean_of_each_stretch() -> None:
    curve = [(step, float(step)) for step in range(10)]
    assert thin_out(curve, 4) == [(0, 0.0), (2, 2.5), (6, 6.5), (9, 9.0)]
    assert thin_out(curve, 10) == curve


@pytest.mark.parametrize(("low", "high", "logarithmic"), [(0.1, 90.0, True), (0.0, 1.0, False), (-3.0, 2000.0, False)])
def test_ticks_are_a_few_values_within_the_range(low: float, high: float, logarithmic: bool) -> None:
    found = ticks(low, high, logarithmic)
    assert 3 <= len(found) <= 7
    assert all(low <= value <= high for value in found)


def test_a_sweep_lists_its_runs_its_failures_and_the_best_command(tmp_path: Path) -> None:
    sweep = tmp_path / "sweeps/search"
    good = make_run(tmp_path / "wave/2026-11-25_10-00-00")
    better = make_run(tmp_path / "wave/2026-11-25_11-00-00")
    weights = ["style=wave", "loss.weights.style=3", "seed=1"]
    write_record(sweep, Record(0, ["style=wave", "seed=1"], good, "held_out/style", 0.5))
    write_record(sweep, Record(1, weights, better, "held_out/style", 0.25))
    write_record(sweep, Record(2, ["style.image=my.jpg", "seed=1"], None, "held_out/style", math.nan, "no such file"))
    (sweep / "runs/99999.json").write_text("{")
    records = read_records(sweep)
    assert [record.objective for record in records] == [0.5, 0.25, None]
    assert best_of(records) == records[1]
    assert table(records) == [
        "      held_out/style  settings",
        "              0.2500  style=wave loss.weights.style=3",
        "              0.5000  style=wave",
        "              failed  style.image=my.jpg  # no such file",
    ]
    text = write_report(sweep).read_text()
    assert "<pre>stylenet train style=wave loss.weights.style=3 seed=1</pre>" in text
    assert heads_of(text)[2] == "objective"
    assert cells_of(text, 2)[-1] == "no such file"


def test_a_curve_without_any_change_has_one_tick() -> None:
    assert ticks(0.25, 0.25, logarithmic=False) == [0.25]
