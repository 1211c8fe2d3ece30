"""A graphics card that is there but fails: WebAssembly takes over, and the page says so."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from page import WEBGPU, pixels, png, ready, require_browser
from static_server import served

from stylenet.models.catalog import SHIPPED
from stylenet.models.loading import load_style
from stylenet.web.site import HEADERS

require_browser()

PHOTO = np.random.default_rng(0).integers(0, 256, (45, 61, 3), np.uint8)
# Before the worker's own code: the software adapter becomes a graphics card, of which then something fails.
REAL = "Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });"
NO_DEVICE = "GPUAdapter.prototype.requestDevice = () => Promise.reject(new DOMException('out of order'));"
LOST_IN_RUN = """
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...given) {
  const device = await requestDevice.apply(this, given);
  const submit = device.queue.submit.bind(device.queue);
  let count = 0;
  device.queue.submit = (commands) => {
    if (++count === 2) device.destroy();
    return submit(commands);
  };
  return device;
};"""
BAD_SHADER = """
const { createShaderModule } = GPUDevice.prototype;
GPUDevice.prototype.createShaderModule = function (given) {
  return createShaderModule.call(this, { ...given, code: 'not a shader' });
};"""
NO_MEMORY = """
const { createBuffer } = GPUDevice.prototype;
GPUDevice.prototype.createBuffer = function (given) {
  return createBuffer.call(this, { ...given, size: given.size > 10_000 ? 1e12 : given.size });
};"""


@pytest.fixture(scope="module")
def gpu_browser(launch) -> Iterator[object]:
    browser = launch(WEBGPU)
    yield browser
    browser.close()


def with_worker(site: Path, folder: Path, code: str) -> Path:
    """A copy of the page whose worker runs this code first, with the tests' photo as its example."""
    shutil.copytree(site, folder)
    worker = folder / "worker.js"
    worker.write_text(f"{REAL}{code}\n{worker.read_text()}")
    (folder / "example.jpg").write_bytes(png(PHOTO))
    return folder


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (NO_DEVICE, "Failed to get a WebGPU device: out of order"),
        (LOST_IN_RUN, "The Device was lost before mapping was resolved."),
        (BAD_SHADER, "Failed to create a WebGPU compute pipeline"),
        (NO_MEMORY, "the runtime stopped"),
    ],
    ids=["no device", "lost in the first run", "bad shader", "no memory"],
)
def test_where_webgpu_fails_webassembly_gives_the_image(
    gpu_browser, site: Path, tmp_path: Path, code: str, reason: str
) -> None:
    page = gpu_browser.new_page()
    with served(with_worker(site, tmp_path / "page", code), HEADERS) as url:
        page.goto(url)
        ready(page)
        line, shown = page.locator("#engine").inner_text(), pixels(page)
    page.close()
    assert line.startswith("Computed by WebAssembly, ")
    assert reason in line.partition("as WebGPU failed: ")[2]
    first = json.loads((site / "networks.json").read_text())[0]["key"]  # which the page opens with
    network, _ = load_style(SHIPPED / f"{first}.safetensors")
    with torch.inference_mode():
        stylized = network(torch.from_numpy(PHOTO).permute(2, 0, 1)[None].float() / 255)
    assert np.abs(shown[..., :3] - (255 * stylized[0].permute(1, 2, 0)).round().numpy()).max() <= 1


TWO_FILES = """async () => {
  const { Engine } = await import('/engine.js');
  const lines = [];
  const engine = new Engine('webgpu', (line) => lines.push(line));
  await engine.start();
  const error = await engine.load('broken', new Uint8Array([1, 2, 3]).buffer).catch(({ message }) => message);
  await engine.load('tiny', 'networks/starry-tiny.onnx');
  return [error, lines];
}"""


def test_a_broken_file_does_not_count_as_a_failure_of_webgpu(gpu_browser, address: str) -> None:
    page = gpu_browser.new_page()
    page.goto(f"{address}networks.json")
    error, lines = page.evaluate(TWO_FILES)
    page.close()
    assert error == "this is not an ONNX file that can be read"
    assert lines == ["Computed by WebGPU."]
