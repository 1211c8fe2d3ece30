"""Many styles, previews, the service's batches, figures of images and the examples on fake CUDA tensors.

What is known on the host, as a batch's photos and which paintings it mixes, may travel, but not be waited for.
"""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_cuda import CUDA, Drawn, Transfers, moved, there
from made_up_vgg import tiny_weights
from PIL import Image
from runs import ROOT
from test_inference_on_fake_cuda import image, on_gpu
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from stylenet.evaluation.appearance import PaintingFigures
from stylenet.inference.stylizer import Stylizer
from stylenet.losses import stability
from stylenet.losses.perceptual import LossSettings, PerceptualLoss
from stylenet.losses.terms import LOSS_TERMS
from stylenet.losses.vgg import VGGFeatures
from stylenet.models.conditional import ConditionalNet
from stylenet.models.network import NetworkSettings
from stylenet.models.plane_waves import PlaneWaves
from stylenet.models.predictor import STATISTICS
from stylenet.pipeline.batching import Batching
from stylenet.training import many_module
from stylenet.training.many_module import ManyStylesModule
from stylenet.training.many_targets import Criteria

FORM = NetworkSettings(4, 1, architecture="conditional", styles=3, predictor=4, waves=3)
SHIFT = stability.draw_shift_and_noise(0)
PLACES = torch.tensor([2, 0])


@pytest.fixture
def network(fake: FakeTensorMode) -> ConditionalNet:
    with unset_fake_temporarily():
        made = ConditionalNet(FORM)
    moved(made)
    return made


@pytest.fixture
def criteria(network: ConditionalNet, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> Criteria:
    """Of three paintings, with every term."""
    with unset_fake_temporarily():
        settings = LossSettings(["relu2_2"], ["relu1_1", "relu3_1"], weights=dict.fromkeys(LOSS_TERMS, 1.0))
        criterion = PerceptualLoss(VGGFeatures(tiny_weights()), torch.rand(1, 3, 32, 32), settings)
        targets = {name: value for name, value in criterion.named_buffers() if not name.startswith("vgg.")}
    moved(criterion)
    monkeypatch.setattr(stability, "draw_shift_and_noise", lambda number: SHIFT)
    monkeypatch.setattr(many_module, "paintings_of", lambda *_: PLACES)  # values of the host's, which a fake has not
    return Criteria(criterion, [{name: there(value) for name, value in targets.items()} for _ in range(3)])


def module_of(network: ConditionalNet, criteria: Criteria, **more: Tensor) -> ManyStylesModule:
    with unset_fake_temporarily():  # `Module.to` does not take fakes
        made = ManyStylesModule(ConditionalNet(FORM), criteria, flat_areas=1.0, **more)
    made.network = network
    return made


@pytest.mark.parametrize("number", [0, 2], ids=["with rows", "predicted alone"])
def test_a_step_on_many_paintings_waits_for_nothing(network: ConditionalNet, criteria: Criteria, number: int) -> None:
    statistics = torch.empty(3, STATISTICS, device=CUDA)
    module = module_of(network, criteria, statistics=statistics)
    with Transfers() as transfers:
        values = module.weighted_losses(torch.empty(2, 3, 64, 64, dtype=torch.uint8, device=CUDA), number)
    assert all(value.device == CUDA for value in values.values())
    assert transfers.waiting == []
    assert [copy[2] for copy in transfers.copies] == [(2,)]


def test_a_step_for_a_further_painting_waits_for_nothing(network: ConditionalNet, criteria: Criteria) -> None:
    row = torch.nn.Parameter(torch.empty(1, network.table.shape[1], device=CUDA))
    module = module_of(network, criteria, added=row)
    with Transfers() as transfers:
        values = module.weighted_losses(torch.empty(2, 3, 64, 64, dtype=torch.uint8, device=CUDA), 0)
    assert all(value.device == CUDA for value in values.values())
    assert transfers.waiting == []


def test_a_preview_is_predicted_and_applied_on_the_gpu(network: ConditionalNet) -> None:
    with Transfers() as transfers:
        parameters = network.predicted(torch.empty(1, 3, 256, 300, device=CUDA))[0]
        single = network.folded(parameters)
        stylized = single(torch.empty(2, 3, 33, 40, device=CUDA))
    assert stylized.device == CUDA
    assert transfers.copies == []


def test_blends_of_rows_and_batches_of_styles_stay_on_the_gpu(network: ConditionalNet) -> None:
    with Transfers() as transfers:
        for style in (1, torch.empty(2, dtype=torch.int64, device=CUDA), torch.empty(3, device=CUDA)):
            assert network(torch.empty(2, 3, 32, 32, device=CUDA), style).device == CUDA
    assert transfers.copies == []


def test_a_pattern_is_drawn_where_the_features_are(fake: FakeTensorMode) -> None:
    with unset_fake_temporarily():
        waves = PlaneWaves(4, 3)
    moved(waves)
    with Transfers() as transfers:
        assert waves(torch.empty(1, 4, 9, 10, device=CUDA, dtype=torch.float16), first=5).device == CUDA
    assert transfers.copies == []


def test_figures_beside_a_painting_are_computed_on_the_gpu(fake: FakeTensorMode) -> None:
    with unset_fake_temporarily():
        figures = PaintingFigures(torch.rand(1, 3, 128, 140))
    figures.colors = there(figures.colors)
    with Transfers() as transfers:
        found = figures.compare(torch.empty(1, 3, 128, 160, device=CUDA))
    assert all(value.device == CUDA for value in found.values())
    assert transfers.waiting == []


class HostCopies:
    """Makes a stylizer give arrays as a GPU's would, but of zeros: there is nothing to be copied."""

    def __init__(self, stylizer: Stylizer) -> None:
        self.stylizer, self.networks, self.batches = stylizer, stylizer.networks, []

    def stylize(self, pixels: np.ndarray) -> np.ndarray:
        photos = torch.empty(pixels.shape, dtype=torch.uint8).movedim(-1, 1)
        with Transfers() as transfers:
            stylized: Tensor = self.stylizer.stylize(photos)
        self.batches.append(transfers.copies)
        assert stylized.shape == photos.shape
        return np.zeros(pixels.shape, np.uint8)


def test_a_batch_of_the_service_travels_there_and_back_once(fake: FakeTensorMode) -> None:
    styler = HostCopies(on_gpu())
    Batching(styler).stylize(Image.new("RGB", (40, 32)))
    assert styler.batches == [[("cpu", "cuda", (1, 3, 32, 40)), ("cuda", "cpu", (1, 3, 32, 40))]]


def test_the_real_time_example_runs(
    fake: FakeTensorMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "frame.png")
    stylizer, sizes = on_gpu(), []

    def stylize(frame: np.ndarray) -> Tensor:
        sizes.append(frame.shape)
        return stylizer.stylize(image(3, *frame.shape[:2]))

    class Style:
        warmup = staticmethod(lambda height, width: stylizer.stylize(image(3, height, width)))

    Style.stylize = staticmethod(stylize)  # type: ignore[attr-defined]
    monkeypatch.setattr(Stylizer, "load", lambda name: Style)
    monkeypatch.setattr(sys, "argv", ["realtime.py", "night", str(tmp_path / "frame.png")])
    runpy.run_path(str(ROOT / "examples/realtime.py"))
    assert capsys.readouterr().out.startswith("frame 0: ")
    assert sizes == [(240, 320, 3)]
