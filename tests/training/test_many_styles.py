"""Training on many paintings, and a further painting that changes none of the others."""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_vgg import tiny_weights
from PIL import Image

from stylenet import Stylizer
from stylenet.data.paintings import read_paintings
from stylenet.errors import UserError
from stylenet.losses.settings import LossSettings
from stylenet.models import style_file
from stylenet.models.catalog import infer_command
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import NetworkSettings
from stylenet.models.transformer_net import TransformerNet
from stylenet.training import many_files, many_targets
from stylenet.training.limits import LARGEST_SEED
from stylenet.training.many_styles import Length, apart, begin_at, fit, paintings_of
from stylenet.training.many_targets import criteria_for, digest

FURTHER = [
    "crop=32",
    "batch=2",
    "loss.content_layers=[relu1_2]",
    "loss.style_layers=[relu1_1]",
    "style.size=32",
    "logger.wandb=false",
    "trainer.accelerator=cpu",
]
SHORT = ["network.width=2", "network.blocks=1", *FURTHER]


def painted(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48, 3), np.uint8)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def paintings(tmp_path: Path) -> Path:
    for seed, name in enumerate(("night", "sea wall", "toledo")):
        painted(tmp_path / "paintings" / f"{name}.png", seed)
    text = "night: {title: The Night, artist: A. Painter, license: CC0, size: 3}\n"
    (tmp_path / "paintings" / "paintings.yaml").write_text(text)
    return tmp_path / "paintings"


def test_unreadable_pictures_are_named_and_skipped(paintings: Path, caplog: pytest.LogCaptureFixture) -> None:
    (paintings / "broken.jpg").write_text("no picture")
    found = read_paintings(paintings, 32)
    assert [painting.name for painting in found] == ["night", "sea wall", "toledo"]
    assert found[0].facts["title"] == "The Night"
    assert found[0].facts["size"] == 32
    assert min(found[0].pixels.shape[-2:]) == 32
    messages = [record.getMessage() for record in caplog.records]
    assert any(message.startswith("skipped: ") and "broken.jpg" in message for message in messages)
    assert sum("has no license" in message for message in messages) == 2


def test_the_largest_seed_gives_every_painting_its_turn() -> None:
    assert sorted(paintings_of(0, 5, 5, LARGEST_SEED).tolist()) == [0, 1, 2, 3, 4]


def test_targets_are_of_the_pixels_that_were_decoded_and_of_all_code_of_the_loss_network(
    paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read_paintings(paintings, 32)[:1]
    decoded_otherwise = [replace(found[0], pixels=found[0].pixels.flip(3))]
    loss, hashed = LossSettings(["relu1_2"], ["relu1_1"]), []
    for each in (found, decoded_otherwise, found):
        criteria_for(tiny_weights(), each, loss, torch.device("cpu"), False, tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 2
    monkeypatch.setattr(many_targets, "file_sha256", lambda path: hashed.append(path.name) or "")
    digest(loss, tiny_weights())
    assert {"features.py", "conventions.py", "perceptual.py", "lab.py"} <= set(hashed)


def test_a_name_that_a_style_cannot_have_is_made_one(paintings: Path) -> None:
    painted(paintings / "a#1: b%.png", 4)
    assert [painting.name for painting in read_paintings(paintings, 32)] == ["a-1-b", "night", "sea wall", "toledo"]


def test_fewer_than_two_paintings_and_equal_names_are_one_line(tmp_path: Path) -> None:
    painted(tmp_path / "few" / "one.png", 0)
    with pytest.raises(UserError, match=r"two paintings or more, and .* has one painting"):
        read_paintings(tmp_path / "few", 32)
    painted(tmp_path / "few" / "one.jpg", 1)
    with pytest.raises(UserError, match=r"two paintings in .* are called one"):
        read_paintings(tmp_path / "few", 32)
    with pytest.raises(UserError, match="there is no folder of paintings"):
        read_paintings(tmp_path / "none", 32)


def test_facts_are_texts_and_numbers_and_the_size_is_checked_first(paintings: Path) -> None:
    (paintings / "paintings.yaml").write_text("night: {year: 1889-06-01, died: 1890, license: ''}\n")
    facts = read_paintings(paintings, 32)[0].facts
    assert (facts["year"], facts["died"], "license" in facts) == ("1889-06-01", 1890, False)
    with pytest.raises(UserError, match=r"style\.size is the short side .* got 8"):
        read_paintings(paintings, 8)


def test_files_of_the_package_and_of_caches_are_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "checkpoints"
    monkeypatch.setattr(many_files, "CHECKPOINTS", own)
    shipped, mine = tmp_path / "package" / "gallery.safetensors", own / "gallery.safetensors"
    assert many_files.further_target("gallery", shipped, "new", False).path == own / "gallery-new.safetensors"
    assert many_files.further_target("gallery", mine, "new", True).path == mine
    with pytest.raises(UserError, match="is not yours to replace"):
        many_files.further_target("gallery", shipped, "new", True)


def test_all_paintings_have_their_turn_before_one_comes_again() -> None:
    rows = torch.cat([paintings_of(number, 2, 5, seed=0) for number in range(10)])
    assert all(sorted(turn.tolist()) == [0, 1, 2, 3, 4] for turn in rows.split(5))
    assert torch.equal(paintings_of(7, 2, 5, seed=0), rows[14:16])
    assert not torch.equal(rows[:5], rows[5:10])


def test_many_styles_are_trained_and_a_further_one_changes_no_byte_of_them(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    weights = f"loss_network.weights={tiny_vgg_file}"
    assert here(f"styles={paintings}", *SHORT, weights, "steps=4") == 0, capfd.readouterr().err
    file = Path("checkpoints/gallery.safetensors")
    out = capfd.readouterr().out
    assert out.splitlines()[-1] == infer_command(file, "night")
    assert f"infer.py PHOTO -s '{file.resolve()}#night'" in out  # there is no infer.py here
    network, card = style_file.read_style(file)
    assert isinstance(network, ConditionalNet)
    assert card.style_names == ["night", "sea wall", "toledo"]
    assert card.facts["training"]["steps"] == 4
    assert not torch.equal(network.table[0], network.table[1])
    assert all(torch.equal(value, value.half().float()) for value in network.state_dict().values())
    assert card.facts["parameters"] == sum(each.numel() for each in network.parameters())
    before = file.read_bytes()
    assert here(f"styles={paintings}", *SHORT, weights, "steps=4") == 1
    assert "exists; replace=true overwrites it" in capfd.readouterr().err
    painted(Path("new one.png"), 9)
    assert here("style.image=new one.png", f"add_to={file}", *FURTHER, weights, "steps=3") == 0, capfd.readouterr().err
    assert file.read_bytes() == before
    larger = Path("checkpoints/gallery-new-one.safetensors")
    assert style_file.read_card(larger).style_names == [*card.style_names, "new-one"]
    picture = np.random.default_rng(0).integers(0, 256, (40, 44, 3), np.uint8)
    for name in card.style_names:
        results = [Stylizer.load(f"{path}#{name}", "cpu").stylize(picture).tobytes() for path in (file, larger)]
        assert results[0] == results[1]
    assert here("style.image=new one.png", f"add_to={larger}", *FURTHER, weights, "steps=3") == 1
    assert "has a style new-one already" in capfd.readouterr().err


def test_a_stopped_run_resumes_to_the_same_bytes(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylenet.training import many_styles

    command = [f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=5", "replace=true"]
    file = Path("checkpoints/gallery.safetensors")
    monkeypatch.setattr(many_styles, "SAVE_EVERY", 0.0)
    real = many_styles.save

    def stopped(path: Path, parameters: object, optimizer: object, steps: int, seconds: float) -> None:
        real(path, parameters, optimizer, steps, seconds)  # type: ignore[arg-type]
        if steps == 3:
            raise UserError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(many_styles, "save", stopped)
        assert here(*command) == 1
    assert here(*command) == 0
    resumed = file.read_bytes()
    for run in Path("outputs/gallery").iterdir():
        run.rename(run.with_name("other"))
    assert here(*command) == 0
    assert file.read_bytes() == resumed


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends SIGTERM to this process while it is at that step."""

    def chosen(number: int, *rest: int) -> torch.Tensor:
        if number == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return paintings_of(number, *rest)

    monkeypatch.setattr("stylenet.training.many_styles.paintings_of", chosen)


def test_a_signal_ends_a_run_after_its_step_and_the_paintings_may_move_before_it_resumes(
    paintings: Path,
    tiny_vgg_file: Path,
    here: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    command = [*SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=5"]
    with monkeypatch.context() as patched:
        stop_at(2, patched)
        assert here(f"styles={paintings}", *command) == 143
    assert "gallery: batch 2, 5 steps, in outputs/gallery/" in caplog.text
    assert "stopped after step 3; the same command resumes" in caplog.text
    paintings.rename(paintings.with_name("moved"))
    stop_at(1, monkeypatch)  # which does not come again
    assert here("styles=moved", *command, "resume=auto") == 0
    assert style_file.read_card(Path("checkpoints/gallery.safetensors")).facts["training"]["steps"] == 5


def test_a_network_that_cannot_be_published_stays_in_its_run_folder(
    paintings: Path,
    tiny_vgg_file: Path,
    here: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    Path(paintings.parent, "checkpoints").write_text("no folder")
    assert here(f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=1") == 0
    (file,) = Path("outputs/gallery").glob("*/gallery.safetensors")
    assert "checkpoints/gallery.safetensors cannot be written (File exists)" in caplog.text
    assert capfd.readouterr().out.splitlines()[-1] == infer_command(file, "night")


def test_a_network_is_not_written_over_what_came_meanwhile(
    paintings: Path,
    tiny_vgg_file: Path,
    here: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = Path("checkpoints/gallery.safetensors")

    def late(number: int, *rest: int) -> torch.Tensor:
        file.parent.mkdir(exist_ok=True)
        file.write_text("another run's")
        return paintings_of(number, *rest)

    monkeypatch.setattr("stylenet.training.many_styles.paintings_of", late)
    assert here(f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=1") == 0
    assert file.read_text() == "another run's"
    assert "checkpoints/gallery.safetensors was written by something else meanwhile" in caplog.text


def test_a_finished_run_says_so_and_other_photos_are_another_run(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for seed in range(2):
        painted(paintings.parent / "photos" / f"{seed}.png", seed)
    command = [f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=1", "replace=true"]
    command += ["data=folder", "data.path=photos"]
    assert here(*command) == 0
    assert "were done already" not in caplog.text
    assert here(*command) == 0
    assert "all 1 steps were done already" in caplog.text
    caplog.clear()
    painted(paintings.parent / "photos" / "3.png", 3)
    assert here(*command) == 0
    assert "were done already" not in caplog.text


def test_a_damaged_checkpoint_is_one_line(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    command = [f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=1", "replace=true"]
    assert here(*command) == 0
    (checkpoint,) = Path("outputs/gallery").glob("*/many.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    capfd.readouterr()
    assert here(*command) == 1
    assert f"{checkpoint} is damaged or of another version; remove it" in capfd.readouterr().err
    assert here("style=wave", f"resume={checkpoint.parent}") == 1
    assert "is of a run on many paintings, which its own command resumes" in capfd.readouterr().err


def test_out_of_memory_is_one_line(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("stylenet.training.many_run.criteria_for", full)
    assert here(f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=1") == 1
    assert "out of memory: a batch of 2 at a crop of 32 px does not fit" in capfd.readouterr().err


def test_a_training_that_learns_nothing_more_is_one_line(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    rate = "learning_rate=1e38"
    assert here(f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=14", rate) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("train.py: error: step 14: the last 1")
    assert line.endswith(" steps were not finite; try a lower learning_rate")


def test_a_step_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(2))

    def step(batch: torch.Tensor, number: int) -> torch.Tensor:
        return (weight * (float("nan") if number == 1 else 1.0)).sum()

    def batches(first: int) -> list[torch.Tensor]:
        return [torch.zeros(1)] * 9

    found = [weight.tolist() for _ in fit({1.0: [weight]}, step, batches, Length(3), 0.1, tmp_path / "many.ckpt")]
    assert found[1] == found[0] != found[2]


def test_a_network_of_one_style_is_where_every_painting_begins() -> None:
    single = TransformerNet(NetworkSettings(width=2, blocks=1)).eval()
    for parameter in single.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    network = ConditionalNet(NetworkSettings(2, 1, architecture="conditional", styles=3, predictor=4)).eval()
    begin_at(network, single, [None, None, None])
    photo, painting = torch.rand(2, 1, 3, 32, 32)
    with torch.no_grad():
        for parameters in (network.table[2], network.predicted(painting)[0]):
            torch.testing.assert_close(network.with_parameters(photo, parameters), single(photo))


def test_paintings_go_on_from_their_rows_in_a_network_of_many() -> None:
    base, network = (
        ConditionalNet(NetworkSettings(2, 1, architecture="conditional", styles=styles, predictor=4))
        for styles in (2, 3)
    )
    torch.nn.init.normal_(base.table)
    begin_at(network, base, [1, None, 0])
    assert torch.equal(network.table[[0, 2]], base.table[[1, 0]])
    torch.testing.assert_close(network.table[1], base.table.mean(0))
    statistics = torch.rand(3, 896)
    before = network.table.detach().clone()
    apart(network, statistics, -1)
    assert not torch.allclose(network.table, before)
    apart(network, statistics, 1)
    torch.testing.assert_close(network.table.detach(), before)


def test_a_length_by_the_clock_ends_on_time_with_its_rate_at_nothing() -> None:
    clock, steps = Length(None, 100.0), Length(100)
    assert not clock.over(5000, 99.9)
    assert clock.over(1, 100.0)
    assert steps.over(100, 1.0)
    assert [clock.rate_factor(7, seconds) for seconds in (4.0, 55.0)] == [steps.rate_factor(n, 0.0) for n in (4, 55)]
    assert clock.rate_factor(7, 100.0) < 1e-6


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["styles=paintings", "style=wave"], "excludes style=wave"),
        (["style=wave", "network=conditional"], "a conditional network learns many paintings: styles=DIR"),
        (["styles=paintings", "network=dilated"], "network.architecture=dilated is for runs on one painting"),
        (["styles=paintings", "trainer.devices=2"], "trainer.devices=2 is for runs on one painting"),
        (["styles=paintings", "resume=a.ckpt"], "resume: a run on many paintings is resumed by its own command"),
        (["style=wave", "add_to=none"], "add_to: there is no style none"),
        (["style=wave", "add_to=gallery#wave"], "add_to: styles are added to a whole file: leave out #wave"),
        (["style=wave", "add_to=gallery", "network=small"], "network has no effect with add_to="),
        (["style=wave", "add_to=gallery", "network.margin=0"], "network.margin has no effect with add_to="),
        (["style=wave", "add_to=gallery", "init=null"], "init has no effect with add_to="),
        (["styles=paintings", "trainer.profiler=simple"], "trainer.profiler has no effect with styles="),
        (["styles=paintings", "style.license=CC0"], "style.license has no effect with styles="),
        (["styles=paintings", "logger.tags=[a]"], "logger.tags has no effect with styles="),
        (["styles=paintings", "trainer.precision=16-mixed"], "it is 32 or 32-true or bf16-mixed"),
        (["styles=paintings", "trainer=ddp"], "trainer.strategy=ddp is for runs on one painting"),
        (["styles=paintings", "trainer.devices=auto"], "trainer.devices=auto is for runs on one painting"),
        (["styles=paintings", "objective=held_out/style"], "objective has no effect with styles="),
        (["style=wave", "add_to=gallery", "style.suffix=-x"], "style.suffix has no effect with add_to="),
        (["-m", "sweep=search", "styles=paintings"], "a search needs figures on held-out photos"),
        (["styles=none"], "there is no folder of paintings none"),
        (["style=wave", "add_to=none.safetensors"], "none.safetensors"),
    ],
)
def test_a_wrong_choice_is_one_line(
    paintings: Path,
    here: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    assert here(*arguments, "logger.wandb=false") == 1
    error = capfd.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
