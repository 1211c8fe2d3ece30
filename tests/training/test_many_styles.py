"""Training on many paintings, and a further painting that changes none of the others."""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_vgg import tiny_weights
from PIL import Image

from stylenet import Stylizer
from stylenet.data.paintings import read_paintings
from stylenet.errors import UserError
from stylenet.losses.perceptual import PerceptualLoss
from stylenet.losses.settings import LossSettings
from stylenet.losses.vgg import VGGFeatures
from stylenet.models import style_file
from stylenet.models.catalog import infer_command
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import NetworkSettings
from stylenet.models.transformer_net import TransformerNet
from stylenet.report.runs import find_runs, read_run
from stylenet.training import further_painting, many_targets
from stylenet.training.limits import LARGEST_SEED
from stylenet.training.many_module import ManyStylesModule, paintings_of
from stylenet.training.many_paintings import begin_at
from stylenet.training.many_targets import Criteria, criteria_for, digest
from stylenet.training.module import make_optimizer
from stylenet.training.resume import finished_steps

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
    monkeypatch.setattr(further_painting, "CHECKPOINTS", own)
    shipped, mine = tmp_path / "package" / "gallery.safetensors", own / "gallery.safetensors"
    assert further_painting.place_of("gallery", shipped, "new", False) == own / "gallery-new.safetensors"
    assert further_painting.place_of("gallery", mine, "new", True) == mine
    with pytest.raises(UserError, match="is not yours to replace"):
        further_painting.place_of("gallery", shipped, "new", True)


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
    (run,) = Path("outputs").glob("gallery-new-one/*")
    assert finished_steps(run) == 3  # and not those of the network
    file.rename("moved.safetensors")
    for wanted in ("auto", str(run)):
        assert here(f"resume={wanted}", "add_to=moved.safetensors") == 0, capfd.readouterr().err
        Path("moved-new-one.safetensors").unlink()
    Path("moved.safetensors").rename(file)
    larger = Path("checkpoints/gallery-new-one.safetensors")
    assert style_file.read_card(larger).style_names == [*card.style_names, "new-one"]
    picture = np.random.default_rng(0).integers(0, 256, (40, 44, 3), np.uint8)
    for name in card.style_names:
        results = [Stylizer.load(f"{path}#{name}", "cpu").stylize(picture).tobytes() for path in (file, larger)]
        assert results[0] == results[1]
    assert here("style.image=new one.png", f"add_to={larger}", *FURTHER, weights, "steps=3") == 1
    assert "has a style new-one already" in capfd.readouterr().err


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends SIGTERM to this process while it is at that step."""
    losses = ManyStylesModule.weighted_losses

    def stopped(module: ManyStylesModule, batch: torch.Tensor, number: int) -> dict[str, torch.Tensor]:
        if number == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(module, batch, number)

    monkeypatch.setattr(ManyStylesModule, "weighted_losses", stopped)


def test_a_stopped_run_resumes_to_the_same_bytes_and_is_found_by_its_paintings(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    command = [f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=5"]
    file = Path("checkpoints/gallery.safetensors")
    with monkeypatch.context() as patched:
        stop_at(2, patched)
        assert here(*command) == 143
    assert not file.exists()
    assert here("styles=other", "resume=auto") == 1
    assert "no run of other in outputs" in capfd.readouterr().err
    assert here("style=wave", "resume=auto") == 1
    assert here(f"styles={paintings}", "resume=auto") == 0
    resumed = file.read_bytes()
    assert here(*command, "replace=true") == 0
    assert file.read_bytes() == resumed
    assert style_file.read_card(file).facts["training"]["steps"] == 5


def test_paintings_may_move_before_their_run_resumes_but_not_change(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    with monkeypatch.context() as patched:
        stop_at(0, patched)
        assert here("styles=paintings", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=2") == 143
    (run,) = Path("outputs/gallery").iterdir()
    paintings.rename(paintings.with_name("moved"))
    painted(paintings / "one.png", 0)
    painted(paintings / "two.png", 1)
    assert here(f"resume={run}", "styles=paintings") == 1
    assert "resume: the paintings changed since the run began" in capfd.readouterr().err
    assert here(f"resume={run}", "styles=moved") == 0
    assert Path("checkpoints/gallery.safetensors").exists()


def test_a_run_has_metrics_sheets_and_figures_as_one_on_a_single_painting_has(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int]
) -> None:
    weights = f"loss_network.weights={tiny_vgg_file}"
    more = ["trainer.accumulate_grad_batches=2", "logger.sheet_every=2", "trainer.val_check_interval=1"]
    assert here(f"styles={paintings}", *SHORT, weights, "steps=2", "patience=9", *more) == 0
    (run,) = map(read_run, find_runs(Path("outputs")))
    assert run.finished
    assert run.curves.keys() >= {"loss/total", "held_out/style", "speed/images_per_second", "artifacts/grid"}
    assert [step for step, _ in run.sheets] == [2]
    assert run.held_out["style"] > 0
    painted(Path("new.png"), 9)
    file = Path("checkpoints/gallery.safetensors")
    assert here("style.image=new.png", f"add_to={file}", *FURTHER, weights, "minutes=0.002", "replace=true") == 0
    card = style_file.read_card(file)
    assert card.style_names[-1] == "new"
    assert "held_out" not in card.selected(0).facts
    assert card.selected(3).facts["held_out"] == card.facts["held_out"]


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
    assert "checkpoints/ cannot be written (File exists)" in caplog.text
    assert capfd.readouterr().out.splitlines()[-1] == infer_command(file, "night")


def test_a_network_is_not_written_over_what_came_meanwhile(
    paintings: Path,
    tiny_vgg_file: Path,
    here: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    file, losses = Path("checkpoints/gallery.safetensors"), ManyStylesModule.weighted_losses
    weights = f"loss_network.weights={tiny_vgg_file}"

    def late(module: ManyStylesModule, batch: torch.Tensor, number: int) -> dict[str, torch.Tensor]:
        file.write_bytes(file.read_bytes() + b"more" if file.exists() else another)
        return losses(module, batch, number)

    assert here(f"styles={paintings}", *SHORT, weights, "steps=1") == 0
    another = file.read_bytes()
    file.unlink()
    monkeypatch.setattr(ManyStylesModule, "weighted_losses", late)
    assert here(f"styles={paintings}", *SHORT, weights, "steps=1") == 0
    assert file.read_bytes() == another
    assert "checkpoints/gallery exists; pass replace=true to overwrite it" in caplog.text
    painted(Path("new.png"), 9)
    assert here("style.image=new.png", f"add_to={file}", *FURTHER, weights, "steps=1", "replace=true") == 0
    assert file.read_bytes() == another + b"more"
    assert "checkpoints/gallery.safetensors was changed meanwhile" in caplog.text


def test_out_of_memory_is_one_line(
    paintings: Path, tiny_vgg_file: Path, here: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("stylenet.training.many_paintings.criteria_for", full)
    assert here(f"styles={paintings}", *SHORT, f"loss_network.weights={tiny_vgg_file}", "steps=1") == 1
    assert "out of memory: a batch of 2 at a crop of 32 px does not fit" in capfd.readouterr().err


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


def many_module(tiny_vgg: VGGFeatures, **more: Any) -> ManyStylesModule:
    """Of three paintings of noise, with a predictor."""
    network = ConditionalNet(NetworkSettings(2, 1, architecture="conditional", styles=3, predictor=4))
    assert network.predictor is not None
    for weight in (network.table, network.predictor.head.weight):
        torch.nn.init.normal_(weight)
    criterion = PerceptualLoss(tiny_vgg, torch.rand(1, 3, 32, 32), LossSettings(["relu1_2"], ["relu1_1"]))
    return ManyStylesModule(network, Criteria(criterion, [{}] * (1 if more else 3)), **(more or STATISTICS))


STATISTICS = {"statistics": torch.rand(3, 896)}


def test_a_checkpoint_has_all_that_rows_are_made_of_and_a_style_file_has_them_whole(tiny_vgg: VGGFeatures) -> None:
    module = many_module(tiny_vgg)
    network, predictor = module.network, module.network.predictor
    assert predictor is not None
    assert torch.equal(module.state_dict()["statistics"], STATISTICS["statistics"])
    expected = network.table + network.neutral + predictor.from_statistics(STATISTICS["statistics"])
    before = network.table.detach().clone()
    torch.testing.assert_close(module.style_network().table.float(), expected, rtol=0, atol=1e-2)  # in 16 bits
    assert torch.equal(network.table, before)
    with torch.no_grad():
        stylized = module(torch.rand(1, 3, 32, 32))
    assert stylized.shape == (1, 3, 32, 32)


def test_groups_learn_at_their_rates_and_a_further_style_alone(tiny_vgg: VGGFeatures) -> None:
    module = many_module(tiny_vgg)
    module.learning_rate = 0.1
    optimizer = make_optimizer(module.learned(), module.learning_rate)
    rates = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    assert rates[id(module.network.table)] == pytest.approx(0.3)
    assert rates[id(module.network.predictor.head.bias)] == pytest.approx(0.003)  # type: ignore[union-attr]
    assert len(rates) == len(list(module.network.parameters()))
    added = torch.nn.Parameter(module.network.table[:1].detach().clone())
    assert many_module(tiny_vgg, added=added).learned() == {3.0: [added]}


def test_paintings_go_on_from_their_rows_in_a_network_of_many() -> None:
    base, network = (
        ConditionalNet(NetworkSettings(2, 1, architecture="conditional", styles=styles, predictor=4))
        for styles in (2, 3)
    )
    torch.nn.init.normal_(base.table)
    begin_at(network, base, [1, None, 0])
    assert torch.equal(network.table[[0, 2]], base.table[[1, 0]])
    torch.testing.assert_close(network.table[1], base.table.mean(0))
    wider = ConditionalNet(NetworkSettings(2, 1, architecture="conditional", styles=2, predictor=8))
    with pytest.raises(UserError, match="cannot be the start"):
        begin_at(network, wider, [1, None, 0])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["styles=paintings", "style=wave"], "excludes style=wave"),
        (["style=wave", "network=conditional"], "a conditional network learns many paintings: styles=DIR"),
        (["styles=paintings", "network=dilated"], "network.architecture=dilated is for runs on one painting"),
        (["styles=paintings", "trainer.devices=2"], "trainer.devices=2 is for runs on one painting"),
        (["styles=paintings", "patience=2", "objective=held_out/color_sw"], "objective=held_out/color_sw is of one"),
        (["style=starry", "style.image=mine.jpg"], "style=NAME has its own painting, and a card about it"),
        (
            ["style=wave", "trainer.accelerator=cpu", "trainer.precision=16-mixed"],
            "trainer.precision=16-mixed needs a GPU",
        ),
        (["styles=paintings", "resume=a.ckpt"], "resume: no checkpoint at a.ckpt"),
        (["style=wave", "add_to=none"], "add_to: there is no style none"),
        (["style=wave", "add_to=gallery#wave"], "add_to: styles are added to a whole file: leave out #wave"),
        (["style=wave", "add_to=gallery", "network=small"], "network has no effect with add_to="),
        (["style=wave", "add_to=gallery", "network.margin=0"], "network.margin has no effect with add_to="),
        (["style=wave", "add_to=gallery", "init=null"], "init has no effect with add_to="),
        (["styles=paintings", "network.black=9"], "network.black has no effect with styles="),
        (["styles=paintings", "style.license=CC0"], "style.license has no effect with styles="),
        (["styles=paintings", "trainer=ddp"], "trainer.strategy=ddp is for runs on one painting"),
        (["styles=paintings", "trainer.devices=auto"], "trainer.devices=auto is for runs on one painting"),
        (["style=wave", "add_to=gallery", "style.suffix=-x"], "style.suffix has no effect with add_to="),
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
