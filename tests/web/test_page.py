"""The page in a real browser: photos, camera, styles, strength, save; and its pixels, which equal PyTorch's."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from page import PATIENCE, pixels, png, ready, require_browser, set_value, shows, upload
from PIL import Image

from stylenet.models.catalog import SHIPPED
from stylenet.models.style_file import read_style

require_browser()

PHOTO = np.random.default_rng(0).integers(0, 256, (45, 61, 3), np.uint8)
TINY, SMALL = "starry-tiny", "starry-small"


@pytest.fixture(scope="module")
def page(browser, address: str) -> Iterator[object]:
    """One page for all tests of this file, with a photo of its own size in the tiny network's style."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.requests = []
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(address)
    ready(page)
    yield page
    context.close()


@pytest.fixture(autouse=True)
def opened(page) -> None:
    """The tests' photo at its own size, whatever the test before has left."""
    page.locator(f"input[value={TINY}]").check(force=True)
    set_value(page, "strength", 100)
    set_value(page, "side", 0)
    upload(page, ("a photo.png", png(PHOTO)))
    page.locator('#result[aria-label^="a photo.png in the style"]').wait_for(timeout=PATIENCE)
    shows(page, "61 × 45 px")


def by_torch(name: str, photo: np.ndarray = PHOTO) -> np.ndarray:
    network, _ = read_style(SHIPPED / f"{name}.safetensors")
    with torch.inference_mode():
        stylized = network(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255)
    return 255 * stylized[0].permute(1, 2, 0).numpy()


def test_a_photo_is_stylized_as_by_pytorch(page) -> None:
    shown = pixels(page)
    assert np.abs(shown[..., :3] - by_torch(TINY).round()).max() <= 1
    assert (shown[..., 3] == 255).all()
    assert np.array_equal(pixels(page, "photo")[..., :3], PHOTO)


def test_another_style_takes_the_same_photo_by_keyboard_alone(page, site: Path) -> None:
    names = [network["key"] for network in json.loads((site / "networks.json").read_text())]
    before = page.locator(f"input[value={names[names.index(SMALL) - 1]}]")
    before.check(force=True)
    before.focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("radio", name=SMALL).and_(page.locator(":checked")).wait_for()
    page.wait_for_timeout(100)
    shows(page, "61 × 45 px")
    assert np.abs(pixels(page)[..., :3] - by_torch(SMALL).round()).max() <= 1


def test_strength_mixes_photo_and_style(page) -> None:
    set_value(page, "strength", 40)
    expected = PHOTO + 0.4 * (by_torch(TINY) - PHOTO)
    assert np.abs(pixels(page)[..., :3] - expected).max() <= 1
    set_value(page, "strength", 150)
    expected = np.clip(PHOTO + 1.5 * (by_torch(TINY) - PHOTO), 0, 255)
    assert np.abs(pixels(page)[..., :3] - expected).max() <= 2  # rounded before it is exaggerated


def test_the_longest_side_is_what_was_chosen(page) -> None:
    upload(page, ("large.png", png(np.zeros((300, 600, 3), np.uint8))))
    shows(page, "600 × 300 px")
    set_value(page, "side", 256)
    shows(page, "256 × 128 px")


def test_what_is_saved_is_what_is_shown(page, tmp_path: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == f"a photo-{TINY}.png"
    download.value.save_as(tmp_path / "saved.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "saved.png").convert("RGBA")), pixels(page))


def test_an_image_that_stays_is_saved_under_its_own_name(page) -> None:
    upload(page, ("small.png", png(PHOTO[:15])))
    page.locator("#status.error", has_text="at least 16 px").wait_for(timeout=PATIENCE)
    page.evaluate(f"document.querySelector('input[value={SMALL}]').checked = true")  # chosen, but not computed
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == f"a photo-{TINY}.png"


SLOW_FIRST = """() => {
  const { createImageBitmap } = window;
  window.createImageBitmap = async (file) => {
    if (file.name === 'first.png') await new Promise((resolve) => setTimeout(resolve, 1000));
    return createImageBitmap(file);
  };
}"""


def test_of_two_photos_the_one_that_was_opened_last_is_shown(page) -> None:
    page.evaluate(SLOW_FIRST)
    upload(page, ("first.png", png(PHOTO[:30])))
    upload(page, ("second.png", png(PHOTO[:20])))
    shows(page, "61 × 20 px")
    page.wait_for_timeout(2000)
    assert page.locator("#result").get_attribute("aria-label").startswith("second.png")


def test_the_camera_runs_until_it_is_turned_off_and_leaves_its_last_image(page) -> None:
    set_value(page, "side", 256)
    camera = page.get_by_role("button", name="Camera", exact=True)
    camera.click()
    page.locator("#timing", has_text="images a second").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert camera.get_attribute("aria-pressed") == "true"
    camera.click()
    shows(page, "Camera off")
    assert camera.get_attribute("aria-pressed") == "false"
    shown = pixels(page)
    assert shown.shape[:2] == (192, 256)
    assert shown[..., :3].std() > 1
    set_value(page, "side", 256)  # stylizes what is kept as the photo
    shows(page, "256 × 192 px")
    np.testing.assert_array_equal(pixels(page), shown)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == f"camera-{TINY}.png"


def test_a_file_that_cannot_be_read_leaves_the_camera_on(page) -> None:
    set_value(page, "side", 256)
    camera = page.get_by_role("button", name="Camera", exact=True)
    camera.click()
    shows(page, "Camera: ")
    upload(page, ("notes.txt", b"nothing"))
    page.locator("#status.error", has_text="notes.txt is not an image").wait_for()
    page.wait_for_timeout(500)
    assert camera.get_attribute("aria-pressed") == "true"
    camera.click()


# A camera that takes half a second to open, and another beside it.
SLOW_CAMERAS = """() => {
  window.streams = [];
  navigator.mediaDevices.getUserMedia = async (given) => {
    const stream = await MediaDevices.prototype.getUserMedia.call(navigator.mediaDevices, given);
    streams.push(stream);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return stream;
  };
  navigator.mediaDevices.enumerateDevices = async () => [{ kind: 'videoinput' }, { kind: 'videoinput' }];
}"""
FAST_AGAIN = "() => { for (const name of ['getUserMedia', 'enumerateDevices']) delete navigator.mediaDevices[name]; }"
LIVE = "streams.map((stream) => stream.getVideoTracks()[0].readyState)"
SAID = """() => {
  window.said = [];
  const status = document.getElementById('status');
  new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
}"""


@pytest.fixture
def cameras(page) -> Iterator[object]:
    """The button of a slow camera, off before and after the test."""
    set_value(page, "side", 256)
    page.evaluate(SLOW_CAMERAS)
    page.evaluate("document.getElementById('timing').textContent = ''")
    button = page.get_by_role("button", name="Camera", exact=True)
    yield button
    if button.get_attribute("aria-pressed") == "true":
        button.click()
    page.evaluate(FAST_AGAIN)


def test_a_second_click_on_a_camera_that_starts_ends_it(page, cameras) -> None:
    cameras.dblclick()
    page.wait_for_timeout(1500)
    assert cameras.get_attribute("aria-pressed") == "false"
    assert set(page.evaluate(LIVE)) == {"ended"}
    page.evaluate("streams.length = 0; for (let i = 0; i < 3; i++) document.getElementById('camera').click()")
    page.locator("#timing", has_text="images a second").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(1000)
    assert page.evaluate(LIVE).count("live") == 1  # on, off, on
    assert cameras.get_attribute("aria-pressed") == "true"


def test_the_other_camera_takes_over_and_each_is_stopped(page, cameras) -> None:
    cameras.click()
    flip = page.get_by_role("button", name="Other camera")
    flip.click()  # waits until there is the button
    page.wait_for_timeout(1500)
    assert cameras.get_attribute("aria-pressed") == "true"
    flip.dblclick()
    page.wait_for_timeout(3000)
    page.evaluate("document.getElementById('timing').textContent = ''")
    page.locator("#timing", has_text="images a second").wait_for(timeout=PATIENCE)
    assert cameras.get_attribute("aria-pressed") == "true"
    assert page.evaluate(LIVE) == ["ended", "ended", "ended", "live"]
    cameras.click()
    shows(page, "Camera off")
    assert set(page.evaluate(LIVE)) == {"ended"}


def test_the_other_camera_is_another_one_where_none_says_which_way_it_faces(page, cameras) -> None:
    page.evaluate("delete navigator.mediaDevices.enumerateDevices")
    cameras.click()
    flip = page.get_by_role("button", name="Other camera")
    flip.click()
    page.wait_for_timeout(2500)
    labels = page.evaluate("streams.map((stream) => stream.getVideoTracks()[0].label)")
    assert labels[-1] != labels[0]
    assert page.evaluate(LIVE)[-1] == "live"


def test_a_camera_that_is_unplugged_is_one_line(page, cameras) -> None:
    cameras.click()
    shows(page, "Camera: ")
    page.wait_for_timeout(500)
    page.evaluate("streams.at(-1).getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    page.locator("#status.error", has_text="the camera has stopped").wait_for(timeout=PATIENCE)
    assert cameras.get_attribute("aria-pressed") == "false"


def test_a_photo_that_is_computed_while_the_camera_starts_is_no_error(page, cameras) -> None:
    page.evaluate(FAST_AGAIN)
    page.evaluate(SAID)
    page.locator(f"input[value={SMALL}]").check(force=True)
    set_value(page, "side", 1024)
    upload(page, ("large.png", png(np.zeros((700, 1024, 3), np.uint8))))
    shows(page, "Stylizing …")
    set_value(page, "side", 256)
    page.evaluate("document.getElementById('timing').textContent = ''")
    cameras.click()
    page.locator("#timing", has_text="images a second").wait_for(timeout=PATIENCE)
    assert not [text for text in page.evaluate("said") if "annot" in text]
    assert page.locator("#result").get_attribute("aria-label") == "The camera in the chosen style"


def negative(channels: int, *names: str, operator: str = "BitwiseNot") -> bytes:
    """A network that inverts an image, in the form of an export; another operator does something else to it."""
    from onnx import TensorProto, helper

    shape = ["batch", "height", "width", channels]
    names = names or ("picture",)
    values = [helper.make_tensor_value_info(key, TensorProto.UINT8, shape) for key in (*names, "stylized")]
    node = helper.make_node(operator, names[:1], ["stylized"])
    graph = helper.make_graph([node], "negative", values[:-1], values[-1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def test_an_exported_network_can_be_added_also_one_without_alpha(page) -> None:
    pytest.importorskip("onnx", reason="needs the extra onnx")
    upload(page, ("negative.onnx", negative(3)), "add")
    shows(page, "negative: 61 × 45 px")
    assert np.array_equal(pixels(page)[..., :3], 255 - PHOTO)


def test_a_network_added_again_takes_the_place_of_the_first_and_a_broken_one_does_not(page) -> None:
    pytest.importorskip("onnx", reason="needs the extra onnx")
    for content, expected in ((negative(3), 255 - PHOTO), (negative(3, operator="Identity"), PHOTO)):
        page.evaluate("document.getElementById('status').textContent = ''")
        upload(page, ("my.onnx", content), "add")
        shows(page, "my: 61 × 45 px")
        assert np.array_equal(pixels(page)[..., :3], expected)
    for name, content, message in (
        ("one.png", b"nothing", "this is not an ONNX file that can be read"),
        ("two.png", negative(3, "image"), "this network was not exported by stylenet"),
    ):
        upload(page, ("my.onnx", content), "add")
        page.locator("#status.error", has_text=message).wait_for(timeout=PATIENCE)
        upload(page, (name, png(255 - PHOTO)))
        page.locator(f'#result[aria-label="{name} in the style of my"]').wait_for(timeout=PATIENCE)
        assert np.array_equal(pixels(page)[..., :3], 255 - PHOTO)
    assert page.get_by_role("radio", name="my").count() == 1


@pytest.mark.parametrize(
    ("name", "control", "message"),
    [
        ("notes.txt", "open", "notes.txt is not an image that this browser can read"),
        ("broken.onnx", "add", "this is not an ONNX file that can be read"),
        ("night.safetensors", "open", 'night.safetensors is not an ONNX file: "stylenet export" makes one'),
        ("night.txt", "add", 'night.txt is not an ONNX file: "stylenet export" makes one'),
        ("foreign.onnx", "add", "this network was not exported by stylenet"),
        ("gallery.onnx", "add", "this file holds several styles: export one, as in gallery#wave"),
        ("small.png", "open", "an image must be at least 16 px wide and high"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_the_page_goes_on(
    page, name: str, control: str, message: str
) -> None:
    pytest.importorskip("onnx", reason="needs the extra onnx")
    contents = {
        "foreign.onnx": negative(3, "image"),
        "gallery.onnx": negative(3, "picture", "weights"),
        "small.png": png(PHOTO[:15]),
    }
    upload(page, (name, contents.get(name, b"nothing")), control)
    page.locator("#status.error", has_text=message).wait_for(timeout=PATIENCE)
    upload(page, ("again.png", png(PHOTO)))
    shows(page, "61 × 45 px")


def test_an_image_that_becomes_too_narrow_is_one_line_that_gives_its_size(page) -> None:
    set_value(page, "side", 256)
    upload(page, ("tall.png", png(np.zeros((512, 20, 3), np.uint8))))
    page.locator("#status.error", has_text="and this one is 10 × 256 px at the longest side chosen").wait_for()


def test_every_control_has_a_role_and_a_name(page) -> None:
    for role, name in [
        ("button", "Camera"),
        ("button", "Save"),
        ("slider", "Before / after"),
        ("slider", "Strength"),
        ("combobox", "Longest side"),
        ("radio", TINY),
        ("status", ""),
        ("img", "a photo.png in the style of The Starry Night"),
    ]:
        assert page.get_by_role(role, name=name).first.count() == 1, name
    assert page.get_by_label("Open a photo").count() == page.get_by_label("Add a network (.onnx)").count() == 1


def test_the_tab_key_reaches_every_control(page) -> None:
    page.locator("#compare").focus()
    reached = []
    for _ in range(8):
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
        page.keyboard.press("Tab")
    assert reached == ["compare", "open", "camera", "save", "style", "add", "strength", "side"]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_nothing_is_asked_of_or_sent_to_another_host(page, address: str) -> None:
    assert {url.split("//")[1].split("/")[0] for url in page.requests if url.startswith("http")} == {
        address.split("//")[1].strip("/")
    }
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.message)") == "Failed to fetch"
    refused = page.evaluate(
        """() => new Promise(resolve => {
          addEventListener('securitypolicyviolation', event => resolve(event.violatedDirective));
          fetch('http://127.0.0.1:9/').catch(() => {});
        })"""
    )
    assert refused == "connect-src"
