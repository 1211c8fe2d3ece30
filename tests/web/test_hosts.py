"""The page from a plain host, without any host, and on WebGPU."""

import shutil
from pathlib import Path

import numpy as np
import torch
from page import INSTALLED, PATIENCE, WEBGPU, pixels, ready, require_browser
from static_server import served

from stylenet.models.catalog import SHIPPED
from stylenet.models.style_file import read_style
from stylenet.web.site import HEADERS

require_browser()

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
        ready(page)
        assert page.evaluate("crossOriginIsolated")  # as it has loaded itself again
        cores = page.evaluate("navigator.hardwareConcurrency")
        assert ("threads" in page.locator("#engine").inner_text()) == (cores > 1)
    page.reload()
    ready(page)
    assert pixels(page)[..., :3].std() > 1
    context.close()


def test_after_one_visit_to_a_host_with_headers_the_page_and_each_of_its_styles_work_offline(
    browser, site: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    with served(site, HEADERS) as url:
        page.goto(url)
        ready(page)
        page.evaluate(INSTALLED)
    page.goto(url)
    ready(page)
    page.locator("input[value=scream-tiny]").check(force=True)  # which was not used before
    page.locator("#status", has_text="The Scream: ").wait_for(timeout=PATIENCE)
    assert pixels(page)[..., :3].std() > 1
    context.close()


def without(file: str, site: Path, folder: Path) -> Path:
    """A copy of the page that lacks a file."""
    shutil.copytree(site, folder)
    (folder / file).unlink()
    return folder


def test_a_new_page_replaces_the_one_that_the_browser_has_kept(browser, site: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(site, tmp_path / "page")
    context = browser.new_context()
    page = context.new_page()
    with served(folder, HEADERS) as url:
        page.goto(url)
        ready(page)
        page.reload()
        ready(page)
        (old,) = page.evaluate("caches.keys()")
        (folder / "index.html").write_text((folder / "index.html").read_text().replace("<h1>stylenet", "<h1>new"))
        version = old.split()[-1]
        (folder / "offline.js").write_text((folder / "offline.js").read_text().replace(version, "new"))
        page.reload()
        while page.evaluate("caches.keys()") != [old.replace(version, "new")]:  # wait_for_function would need eval
            page.wait_for_timeout(100)
    page.reload()  # without the server
    ready(page)
    assert page.locator("h1").inner_text() == "new"
    context.close()


KEPT = """async () => {
  const open = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
  const lists = open.map(async (cache) => (await cache.keys()).map(({ url }) => url));
  return (await Promise.all(lists)).flat().map((url) => new URL(url).pathname);
}"""


def test_other_pages_of_the_host_keep_their_headers_and_are_not_kept(browser, site: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(site, tmp_path / "page")
    (folder / "docs").mkdir()
    (folder / "docs/index.html").write_text("<script>document.title = 'its own script runs'</script>")
    (folder / "metrics").write_text("images 7")
    context = browser.new_context()
    page = context.new_page()
    with served(folder, {}) as url:  # the policy is the one that the service worker sets
        page.goto(url)
        ready(page)
        page.evaluate(INSTALLED)
        assert page.evaluate("fetch('metrics').then((answer) => answer.text())") == "images 7"
        page.goto(f"{url}docs/")
        assert page.title() == "its own script runs"
        kept = page.evaluate(KEPT)
    assert "/app.js" in kept
    assert not [path for path in kept if "metrics" in path or "docs" in path]
    context.close()


def test_a_missing_runtime_is_one_line(browser, site: Path, tmp_path: Path) -> None:
    for file, message in (
        ("ort.jspi.min.js", "the runtime is missing on the server: /runtime/ort.jspi.min.js"),
        (
            "ort-wasm-simd-threaded.jspi.wasm.gz",
            "/runtime/ort-wasm-simd-threaded.jspi.wasm.gz is missing on the server",
        ),
    ):
        page = browser.new_page()
        with served(without(f"runtime/{file}", site, tmp_path / file), HEADERS) as url:
            page.goto(url)
            page.locator("#status.error", has_text=message).wait_for(timeout=PATIENCE)
        page.close()


def test_webgpu_gives_the_pixels_of_pytorch_and_is_not_chosen_on_a_software_adapter(launch, address: str) -> None:
    browser = launch(WEBGPU)
    page = browser.new_page()
    page.goto(f"{address}networks.json")
    photo = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    photo[..., 3] = 255
    network, _ = read_style(SHIPPED / "starry-tiny.safetensors")
    with torch.inference_mode():
        expected = network(torch.from_numpy(photo[..., :3]).permute(2, 0, 1)[None].float() / 255)
    expected = (255 * expected[0].permute(1, 2, 0)).round().numpy()
    for choice, name in (("webgpu", "WebGPU"), ("auto", "WebAssembly")):
        engine, values = page.evaluate(RUN, [choice, photo.ravel().tolist(), SIDE])
        assert engine.startswith(name)
        assert np.abs(np.reshape(values, photo.shape)[..., :3] - expected).max() <= 1
    browser.close()
