"""Styles from the hub, and to it: addresses, the cache, every refusal in one line, and what a repository holds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from hub_server import COMMIT, Hub, running_hub
from huggingface_hub import constants

from stylenet import Stylizer
from stylenet.cli.main import main
from stylenet.errors import UserError
from stylenet.models import hub as hub_module
from stylenet.models.catalog import find_style, find_weighted_style
from stylenet.models.conditional import ConditionalNet
from stylenet.models.hub import HubAddress, style_name
from stylenet.models.style_file import Card, read_card, save_style
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize
from stylenet.release.hub import write_repository

SETTINGS = NetworkSettings(width=2, blocks=1)
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)


@pytest.fixture
def style(tmp_path: Path) -> Path:
    path = tmp_path / "night.safetensors"
    facts = {"painting": {"title": "The Night", "artist": "A. Painter"}}
    save_style(path, initialize(TransformerNet(SETTINGS), seed=0), Card("night", SETTINGS, facts))
    return path


@pytest.fixture
def hub(style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has `someone/night`, and an empty cache."""
    with running_hub() as server:
        server.files["someone/night/model.safetensors"] = style.read_bytes()
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf:user/starry", HubAddress("user/starry")),
        ("hf:user/starry@v1", HubAddress("user/starry", "v1")),
        ("hf:user/a.b-c@v1/more/wave.safetensors", HubAddress("user/a.b-c", "v1", "more/wave.safetensors")),
        ("hf:user/starry/wave.safetensors", HubAddress("user/starry", None, "wave.safetensors")),
    ],
)
def test_an_address_is_repository_revision_and_file(text: str, address: HubAddress) -> None:
    assert HubAddress.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["hf:starry", "hf:", "hf:user/starry/../../x.safetensors", "hf:user/starry/net.pth", "hf:a b/c", "user/starry"],
)
def test_anything_else_is_refused_before_the_hub_is_asked(hub: Hub, text: str) -> None:
    with pytest.raises(UserError):
        HubAddress.parse(text)
    assert not hub.requests


def test_a_style_of_the_hub_is_loaded_and_afterwards_without_the_hub(
    hub: Hub, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Stylizer.load(style, "cpu").stylize(PHOTO)
    assert np.array_equal(Stylizer.load("hf:someone/night", "cpu").stylize(PHOTO), expected)
    asked = len(hub.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert np.array_equal(Stylizer.load("hf:someone/night", "cpu").stylize(PHOTO), expected)
    assert len(hub.requests) == asked


def test_an_unchanged_file_is_downloaded_once(hub: Hub) -> None:
    first = find_style("hf:someone/night")
    assert find_style("hf:someone/night") == first
    assert hub.requests.count("GET /someone/night/resolve/main/model.safetensors") == 1


def test_a_weight_may_follow_and_results_are_named_after_the_repository(hub: Hub) -> None:
    style, weight = find_weighted_style("hf:someone/night:0.7")
    assert weight == 0.7
    assert style.name == "night"
    assert style_name(Path("checkpoints/model.safetensors")) == "model"


@pytest.mark.parametrize("status", [404, 429, 503])
def test_what_is_in_the_cache_is_used_where_the_hub_refuses(hub: Hub, style: Path, status: int) -> None:
    find_style("hf:someone/night")
    hub.refusals["someone/night"] = (status, "RepoNotFound" if status == 404 else "")
    for revision in ("", f"@{COMMIT}"):
        assert find_style(f"hf:someone/night{revision}").read_bytes() == style.read_bytes()


def test_networks_in_folders_of_a_repository_are_named_after_the_folders_too(hub: Hub, style: Path) -> None:
    for name in ("a", "b/c"):
        hub.files[f"someone/set/{name}/model.safetensors"] = style.read_bytes()
    found = [find_style(f"hf:someone/set/{name}/model.safetensors") for name in ("a", "b/c")]
    assert [style_name(file) for file in found] == ["set-a", "set-b-c"]


def test_a_large_config_is_not_downloaded(hub: Hub) -> None:
    hub.files["someone/night/config.json"] = bytes(2_000_000)
    find_style("hf:someone/night")
    assert "HEAD /someone/night/resolve/main/config.json" in hub.requests
    assert "GET /someone/night/resolve/main/config.json" not in hub.requests


@pytest.mark.parametrize(
    ("address", "refusal", "message"),
    [
        (
            "hf:someone/secret",
            (401, "RepoNotFound"),
            "no such repository, or a private one: log in",
        ),
        ("hf:someone/secret", (401, ""), "hf auth login"),
        ("hf:someone/gated", (403, "GatedRepo"), "access must be requested on the repository's page"),
        ("hf:someone/refused", (403, ""), "the hub refuses access (403)"),
        ("hf:someone/nothing", (404, "RepoNotFound"), "no such repository"),
        ("hf:someone/night@v9", (404, "RevisionNotFound"), "no revision v9"),
        ("hf:someone/night/day.safetensors", None, "no file day.safetensors in the repository"),
    ],
)
def test_a_refusal_is_one_line_with_its_remedy(
    hub: Hub, address: str, refusal: tuple[int, str] | None, message: str
) -> None:
    if refusal:
        hub.refusals[HubAddress.parse(address).repo] = refusal
    with pytest.raises(UserError) as error:
        find_style(address)
    assert str(error.value).startswith(f"{address}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_without_the_hub_what_is_not_in_the_cache_is_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="not in the cache, and the hub cannot be reached"):
        find_style("hf:someone/night")


def test_without_a_network_the_cache_is_asked_at_once(hub: Hub, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_style("hf:someone/night")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: pytest.fail("tried again"))
    assert find_style("hf:someone/night").read_bytes() == style.read_bytes()
    with pytest.raises(UserError, match="hf:someone/other: not in the cache, and the hub cannot be reached"):
        find_style("hf:someone/other")


def test_a_truncated_download_is_one_line_and_leaves_nothing_that_would_be_used(hub: Hub, style: Path) -> None:
    hub.sizes["someone/night/model.safetensors"] = style.stat().st_size + 1000
    with pytest.raises(UserError, match="hf:someone/night: "):
        find_style("hf:someone/night")
    del hub.sizes["someone/night/model.safetensors"]
    assert find_style("hf:someone/night").read_bytes() == style.read_bytes()


def test_a_file_that_is_too_large_is_refused_before_it_is_downloaded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAXIMUM_SIZE", 100)
    with pytest.raises(UserError, match="is too large"):
        find_style("hf:someone/night")
    assert not any(request.startswith("GET") for request in hub.requests)


def test_a_file_that_is_no_style_is_refused_as_a_local_one_is(hub: Hub) -> None:
    hub.files["someone/night/model.safetensors"] = b"nothing"
    with pytest.raises(UserError, match="not a whole safetensors file"):
        Stylizer.load("hf:someone/night")


def test_pull_writes_a_style_that_then_has_a_name(
    hub: Hub, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert main(["hub", "pull", "hf:someone/night"]) == 0
    assert capsys.readouterr().out == f"checkpoints/night.safetensors: hf:someone/night@{COMMIT}\n"
    assert find_style("night").read_bytes() == style.read_bytes()
    assert main(["hub", "pull", "someone/night"]) == 1
    assert "exists; choose another file with -o" in capsys.readouterr().err


def test_pull_says_which_file_of_which_commit_it_was(
    hub: Hub, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    hub.files["someone/set/more/wave.safetensors"] = style.read_bytes()
    assert main(["hub", "pull", "hf:someone/set@v1/more/wave.safetensors", "-o", "wave.safetensors"]) == 0
    address = f"hf:someone/set@{COMMIT}/more/wave.safetensors"
    assert capsys.readouterr().out == f"wave.safetensors: {address}\n"
    assert HubAddress.parse(address).revision == COMMIT


def test_a_repository_holds_weights_card_picture_and_a_page_with_front_matter(style: Path, tmp_path: Path) -> None:
    style.with_suffix(".jpg").write_bytes(b"a picture")
    folder = tmp_path / "repository"
    folder.mkdir()
    write_repository(folder, style, "someone/night", "cc-by-4.0")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "night.jpg",
    ]
    assert read_card(folder / "model.safetensors") == read_card(style)
    assert Card.from_json((folder / "config.json").read_text()) == read_card(style)
    _, front, body = (folder / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front) == {
        "license": "cc-by-4.0",
        "library_name": "stylenet",
        "pipeline_tag": "image-to-image",
        "tags": ["style-transfer", "neural-style-transfer", "safetensors"],
    }
    assert "Painting: The Night, A. Painter." in body
    assert "(night.jpg)" in body
    assert "-s hf:someone/night" in body


def test_a_network_of_many_styles_is_used_by_a_name_and_lists_its_paintings(tmp_path: Path) -> None:
    form = NetworkSettings(2, 1, architecture="conditional", styles=2)
    paintings = [{"name": "night", "title": "The Night", "artist": "A. Painter", "license": "CC0"}, {"name": "wave"}]
    save_style(tmp_path / "all.safetensors", ConditionalNet(form), Card("all", form, {"styles": paintings}))
    write_repository(tmp_path, tmp_path / "all.safetensors", "someone/all", "mit")
    page = (tmp_path / "README.md").read_text().splitlines()
    assert "stylenet infer photo.jpg -s hf:someone/all#NAME" in page
    assert "- `night`: The Night, A. Painter, CC0" in page
    assert "- `wave`" in page


def test_a_released_network_keeps_its_page(style: Path, tmp_path: Path) -> None:
    style.with_suffix(".md").write_text("# The Night (`night`)\n")
    write_repository(tmp_path, style, "someone/night", "mit")
    assert "# The Night (`night`)" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["push", "night", "someone/night"], "--license"),
        (["push", "nowhere", "someone/night", "--license", "mit"], "there is no style nowhere"),
        (["push", "starry", "someone/night@v2", "--license", "mit"], "a network is pushed to USER/REPO"),
        (["push", "starry", "someone/set/wave.safetensors", "--license", "mit"], "a network is pushed to USER/REPO"),
        (["pull", "night"], "a style on the hub is hf:user/repo"),
        ([], "push|pull"),
    ],
)
def test_a_mistake_is_one_line(
    hub: Hub, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["hub", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_pulled_file_needs_the_suffix_by_which_styles_are_found(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hub", "pull", "hf:someone/night", "-o", str(tmp_path / "mine")]) == 1
    assert "-o must end in .safetensors" in capsys.readouterr().err
    assert not hub.requests
