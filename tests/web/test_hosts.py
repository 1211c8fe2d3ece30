"""The page from a plain host, without any host, and on WebGPU."""

from pathlib import Path

import numpy as np
import torch
from page import pixels, ready, require_browser
from static_server import served

from stylenet.models.catalog import SHIPPED
from stylenet.models.style_file import load_style

require_browser()

WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
SIDE = 64  # pixels: a software adapter takes seconds for them
RUN = """async ([choice, values, side]) => {
  const { Engine } = await import('/engine.js');
  const engine = new Engine(choice);
  const name = await engine.start();
  await engine.load('tiny', 'networks/starry-tiny.onnx');
  const { image } = await engine.stylize('tiny', new ImageData(new Uint8ClampedArray(values), side, side));
  return [name, Array.from(image.data)];
}"""


def test_a_plain_host_gives_threads_and_the_page_works_on_when_the_host_is_gone(browser, site: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    with served(site, {}) as url:
        page.goto(url)
        page.locator("#engine", has_text="threads").wait_for(timeout=120_000)  # after it has loaded itself again
        ready(page)
        assert page.evaluate("crossOriginIsolated")
    page.reload()
    ready(page)
    assert pixels(page)[..., :3].std() > 1
    context.close()


def test_webgpu_gives_the_pixels_of_pytorch_and_is_not_chosen_on_a_software_adapter(launch, address: str) -> None:
    browser = launch(WEBGPU)
    page = browser.new_page()
    page.goto(f"{address}networks.json")
    photo = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    photo[..., 3] = 255
    network, _ = load_style(SHIPPED / "starry-tiny.safetensors")
    with torch.inference_mode():
        expected = network(torch.from_numpy(photo[..., :3]).permute(2, 0, 1)[None].float() / 255)
    expected = (255 * expected[0].permute(1, 2, 0)).round().numpy()
    for choice, name in (("webgpu", "WebGPU"), ("auto", "WebAssembly")):
        engine, values = page.evaluate(RUN, [choice, photo.ravel().tolist(), SIDE])
        assert engine.startswith(name)
        assert np.abs(np.reshape(values, photo.shape)[..., :3] - expected).max() <= 1
    browser.close()
