"""The predictor: a painting's statistics, and parameters made of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from infer_command import Run, picture
from PIL import Image

from stylenet.errors import UserError
from stylenet.inference.preview import preview
from stylenet.models import catalog
from stylenet.models.conditional import ConditionalNet, neutral
from stylenet.models.network import NetworkSettings, initialize
from stylenet.models.predictor import CONVOLUTIONS, STATISTICS, Encoder, Predictor
from stylenet.models.style_file import Card, save_style

FORM = NetworkSettings(2, 1, architecture="conditional", styles=2, predictor=3)
PAINTINGS = [{"name": "night", "title": "The Café at Night", "artist": "Vincent van Gogh"}, {"name": "wave"}]


def filled(encoder: Encoder) -> Encoder:
    generator = torch.Generator().manual_seed(0)
    random = {
        name: (torch.randn(n, m, 3, 3, generator=generator) * (2 / (9 * m)) ** 0.5, torch.randn(n, generator=generator))
        for name, (m, n) in CONVOLUTIONS.items()
    }
    encoder.take(random, torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3]))
    return encoder


def predicting() -> ConditionalNet:
    network = initialize(ConditionalNet(FORM), 0).eval()
    assert network.predictor is not None
    filled(network.predictor.encoder)
    torch.nn.init.normal_(network.predictor.head.weight, 0, 0.1, torch.Generator().manual_seed(1))
    return network


def test_the_statistics_are_means_and_deviations_of_three_layers() -> None:
    encoder, painting = filled(Encoder()), torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    x = (painting - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / torch.tensor([0.2, 0.25, 0.3])[:, None, None]
    expected = []
    for name in CONVOLUTIONS:
        x = F.max_pool2d(x, 2) if name in ("conv2_1", "conv3_1") else x
        x = F.conv2d(x, encoder.get_buffer(f"{name}_weight"), encoder.get_buffer(f"{name}_bias"), padding=1).relu()
        if name in ("conv1_1", "conv2_1", "conv3_1"):
            values = x[0].double().numpy()
            expected += [values.mean((1, 2)), values.std((1, 2), ddof=1)]
    np.testing.assert_allclose(encoder(painting)[0], np.concatenate(expected), rtol=1e-4, atol=1e-5)
    assert encoder(painting).shape == (1, STATISTICS)


def test_an_untrained_predictor_predicts_norms_that_do_nothing() -> None:
    network = initialize(ConditionalNet(FORM), 0)
    assert torch.equal(network.predicted(torch.rand(1, 3, 32, 32))[0].detach(), neutral(network.channels))


def test_the_encoder_never_learns() -> None:
    predictor = Predictor(3, 10)
    assert [name for name, _ in predictor.named_parameters()] == [
        f"{layer}.{kind}" for layer in ("hidden", "head") for kind in ("weight", "bias")
    ]


@pytest.fixture
def gallery(folder: Path) -> Path:
    save_style(folder / "checkpoints/gallery.safetensors", predicting(), Card("gallery", FORM, {"styles": PAINTINGS}))
    picture(folder / "my painting.png")
    return folder


@torch.inference_mode()
def test_a_preview_has_the_predicted_norms(gallery: Path) -> None:
    painting = torch.rand(3, 256, 300, generator=torch.Generator().manual_seed(3))
    Image.fromarray((painting.movedim(0, -1) * 255).round().byte().numpy()).save(gallery / "new.png")
    network, photo = predicting(), torch.rand(1, 3, 24, 24)
    exact = (painting * 255).round() / 255
    expected = network.with_parameters(photo, network.predicted(exact[None]))
    stylizer = preview(gallery / "new.png", "cpu")
    torch.testing.assert_close(stylizer.plain.float()(photo), expected, rtol=0, atol=0.02)


@torch.inference_mode()
def test_of_a_scroll_the_middle_is_described(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    predicted = ConditionalNet.predicted

    def seeing(network: ConditionalNet, painting: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(painting.shape))
        return predicted(network, painting)

    monkeypatch.setattr(ConditionalNet, "predicted", seeing)
    Image.new("RGB", (30, 3000), "olive").save(gallery / "scroll.png")
    preview(gallery / "scroll.png", "cpu")
    assert seen == [(1, 3, 1024, 256)]


def test_infer_previews_a_painting_and_says_so(gallery: Path, call: Run) -> None:
    code, _, error = call("photo.png", "--painting", "my painting.png", "--device", "cpu")
    assert code == 0
    assert (gallery / "photo-preview-my painting.png").exists()
    assert len(error) == 1
    assert "this is a preview" in error[0]
    assert "train.py style.image='my painting.png'" in error[0]


@pytest.mark.parametrize("clone", [True, False])
def test_the_training_that_a_preview_names_is_typed_as_here(
    gallery: Path, call: Run, monkeypatch: pytest.MonkeyPatch, clone: bool
) -> None:
    monkeypatch.setattr(catalog, "source_tree", lambda: gallery if clone else None)
    _, _, (line,) = call("photo.png", "--painting", "my painting.png", "--device", "cpu")
    assert line.endswith(f"{'python train.py' if clone else 'stylenet train'} style.image='my painting.png'")


def test_a_result_does_not_replace_the_painting(gallery: Path, call: Run) -> None:
    before = (gallery / "my painting.png").read_bytes()
    (gallery / "link.png").symlink_to("my painting.png")
    for target in ("my painting.png", "link.png"):
        code, _, error = call("photo.png", "--painting", "my painting.png", "-o", target)
        assert (code, len(error)) == (1, 1)
        assert "--painting my painting.png would be overwritten; choose another output with -o" in error[0]
    assert (gallery / "my painting.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--painting", "photo.png", "-s", "night"], "--painting and -s exclude each other"),
        (["--painting", "text.png"], "--painting"),
        (["--painting", "missing.png"], "--painting: there is no file missing.png"),
    ],
)
def test_a_wrong_painting_is_one_line(gallery: Path, call: Run, arguments: list[str], reason: str) -> None:
    (gallery / "text.png").write_text("no picture")
    before = sorted(gallery.iterdir())
    code, _, error = call("photo.png", *arguments)
    assert (code, len(error)) == (1, 1)
    assert reason in error[0]
    assert sorted(gallery.iterdir()) == before


def test_without_a_gallery_there_is_no_preview(folder: Path, call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "SHIPPED", folder / "none")
    code, _, error = call("photo.png", "--painting", "photo.png")
    assert (code, len(error)) == (1, 1)
    assert "there is no style gallery; available: night" in error[0]
    with pytest.raises(UserError, match="cannot predict styles"):
        preview("photo.png", "cpu", gallery="night")


def test_the_list_has_a_line_for_each_style(gallery: Path, call: Run) -> None:
    code, lines, _ = call("--list")
    assert code == 0
    assert [line.split(maxsplit=1) for line in lines if "night" in line or "#" in line] == [
        ["gallery#night", "The Café at Night, Vincent van Gogh"],
        ["gallery#wave"],
        ["night", "The Night, A. Painter"],
    ]


def test_without_a_style_it_offers_what_can_be_typed(gallery: Path, call: Run) -> None:
    for arguments in (["photo.png"], ["photo.png", "-s", "dawn"]):
        _, _, (line,) = call(*arguments)
        assert "gallery#…, mada" in line
        assert "gallery," not in line


def test_infer_takes_one_style_of_many(gallery: Path, call: Run) -> None:
    code, _, error = call("photo.png", "-s", "gallery#wave:0.7", "-s", "gallery#night:0.3")
    assert (code, error) == (0, [])
    assert (gallery / "photo-gallery-wave+gallery-night.png").exists()
    for style in ("gallery", "gallery#none"):
        code, _, error = call("photo.png", "-s", style)
        assert (code, len(error)) == (1, 1)
        assert "night, wave" in error[0]
