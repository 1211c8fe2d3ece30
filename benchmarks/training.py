"""A training step beside the plain loop's: `python benchmarks/training.py [BATCH [CROP]]`; default 4 at 256 px.

Both train the same network against the same loss network and layers: Johnson's preset, VGG16 to relu4_3. The plain loop
is written here as most examples have it: fp32, contiguous, photos decoded in the loop. Ours is the module, the loss and
the loader that `train.py` uses. The loss network has random weights, which cost what real ones cost.
"""

import io
import sys
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from measuring import in_turn, machine, matrix_rate, row
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stylenet.data.datamodule import PhotoCrops
from stylenet.device import bf16_is_faster, peak_memory, pick_device, to_device
from stylenet.losses.perceptual import PerceptualLoss, loss_preset
from stylenet.losses.vgg import VGGFeatures, VGGWeights
from stylenet.losses.vgg.layers import BLOCKS
from stylenet.models.transformer_net import TransformerNet, initialize
from stylenet.training.module import StyleTransferModule, make_optimizer
from stylenet.training.step import total_of

DEVICE = pick_device()
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TAPS = ("conv1_2", "conv2_2", "conv3_3", "conv4_3")


def random_vgg16() -> VGGWeights:
    """He's initialization, to conv4_3."""
    convolutions, inputs = {}, 3
    for block, (layers, width) in enumerate(zip(BLOCKS["vgg16"][:4], (64, 128, 256, 512), strict=True), start=1):
        for layer in range(1, layers + 1):
            weight = torch.randn(width, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5
            convolutions[f"conv{block}_{layer}"] = (weight, torch.zeros(width))
            inputs = width
    return VGGWeights("random", "0" * 64, MEAN, STD, convolutions)


def encoded_photos(side: int = 640, count: int = 32) -> list[bytes]:
    """JPEGs of the size of COCO's photos."""
    files = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (side // 8, side * 3 // 4 // 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).resize((side * 3 // 4, side)).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


class PlainLoop:
    """fp32 and contiguous; decodes, resizes and crops each photo when its turn comes."""

    def __init__(self, weights: VGGWeights, painting: Tensor, batch: int, crop: int) -> None:
        self.weights, self.batch, self.crop = weights, batch, crop
        self.convolutions = {name: (w.to(DEVICE), b.to(DEVICE)) for name, (w, b) in weights.convolutions.items()}
        self.network = initialize(TransformerNet(), 0).to(DEVICE)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        with torch.no_grad():
            self.grams = [gram(feature) for feature in self.features(painting.to(DEVICE))]
        self.photos = self.endless(encoded_photos())

    def endless(self, files: list[bytes]) -> Iterator[Tensor]:
        while True:
            for file in files:
                image = Image.open(io.BytesIO(file)).convert("RGB")
                scale = self.crop / min(image.size)
                image = image.resize((round(image.width * scale), round(image.height * scale)))
                pixels = torch.from_numpy(np.array(image)[: self.crop, : self.crop]).permute(2, 0, 1)
                yield pixels.float() / 255

    def features(self, x: Tensor) -> list[Tensor]:
        x = (x - x.new_tensor(MEAN).view(1, 3, 1, 1)) / x.new_tensor(STD).view(1, 3, 1, 1)
        found = []
        for name, (weight, bias) in self.convolutions.items():
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, weight, bias, padding=1))
            if name in TAPS:
                found.append(x)
        return found

    def step(self) -> None:
        photos = torch.stack([next(self.photos) for _ in range(self.batch)]).to(DEVICE)
        self.optimizer.zero_grad()
        stylized = self.network(photos)
        features, originals = self.features(stylized), self.features(photos)
        content = 1e5 * F.mse_loss(features[1], originals[1].detach())
        pairs = zip(map(gram, features), self.grams, strict=True)
        style = torch.stack([F.mse_loss(own, painting.expand_as(own)) for own, painting in pairs]).sum()
        (content + 1e10 * style).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


def gram(features: Tensor) -> Tensor:
    b, c, h, w = features.shape
    flat = features.view(b, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


def our_step(weights: VGGWeights, painting: Tensor, batch: int, crop: int) -> Callable[[], None]:
    """One step of what Lightning runs, with its optimizer, gradient clip and loader."""
    vgg = VGGFeatures(weights)
    criterion = PerceptualLoss(vgg, painting, loss_preset("johnson"))
    bf16 = bf16_is_faster(DEVICE.type)
    vgg.cast(torch.bfloat16 if bf16 else torch.float32)
    module = StyleTransferModule(initialize(TransformerNet(), 0), criterion, 100, 1e-3).to(DEVICE)
    batches = iter(PhotoCrops(crop=crop, batch=batch).crops())
    optimizer = make_optimizer(module.learned(), 1e-3)

    def step() -> None:
        pixels = to_device(next(batches), DEVICE)
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
            total = total_of(module.weighted_losses(pixels, 1))
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.network.parameters(), 10.0)
        optimizer.step()

    return step


def main() -> None:
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    batch, crop = [int(text) for text in sys.argv[1:]] + [4, 256][len(sys.argv) - 1 :]
    torch.manual_seed(0)
    weights, painting = random_vgg16(), torch.rand(1, 3, 384, 480)
    plain, ours = PlainLoop(weights, painting, batch, crop), our_step(weights, painting, batch, crop)
    with FlopCounterMode(display=False) as counter:
        plain.step()
    rate = matrix_rate(torch.bfloat16)
    print(machine())
    print(f"matrix product: bf16 {rate / 1e12:.2f}, fp32 {matrix_rate(torch.float32) / 1e12:.2f} TFLOP/s")
    print(f"batch {batch}, {crop} px, {counter.get_total_flops() / 1e9:.0f} GFLOP a step\n")
    times = in_turn({"plain": plain.step, "stylenet": ours}, rounds=5)
    print("| | ms an image, median | spread | times as fast | of the bf16 rate |\n|---|---|---|---|---|")
    for name, seconds in times.items():
        print(row(name, seconds, times["plain"], batch, counter.get_total_flops(), rate))
    print(f"\npeak memory {peak_memory(DEVICE):.2f} GiB")


if __name__ == "__main__":
    main()
