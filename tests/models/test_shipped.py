"""What is in `checkpoints/`: a network for every painting, and one for many, each with its page and its sheet."""

import re

import pytest

from stylenet.cli.release import SMALLER
from stylenet.data.painting import STYLES
from stylenet.disk import file_sha256
from stylenet.models.catalog import GALLERY, SHIPPED, holds_many
from stylenet.models.limits import SUFFIX
from stylenet.models.style_file import read_card
from stylenet.release.pages import index_of

NETWORKS = sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}") if not holds_many(path))


def test_every_painting_has_a_network() -> None:
    assert {*(path.stem for path in STYLES.glob("*.jpg")), *SMALLER} == set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_its_figures_its_page_and_a_small_sheet(name: str) -> None:
    facts = read_card(SHIPPED / f"{name}{SUFFIX}").facts
    page = (SHIPPED / f"{name}.md").read_text(encoding="utf-8")
    assert [found["size"] for found in facts["figures"]] == [256, 512]
    assert re.search(rf"\| SSIM \(at least [\d.]+\) \| {facts['figures'][0]['ssim']:.3g} \|", page)
    assert facts["painting"]["sha256"] == file_sha256(STYLES / f"{name.partition('-')[0]}.jpg")
    assert (SHIPPED / f"{name}.jpg").stat().st_size <= 150_000


def test_the_gallery_knows_its_paintings_and_names_them_on_its_page() -> None:
    file = SHIPPED / f"{GALLERY}{SUFFIX}"
    card, page = read_card(file), file.with_suffix(".md").read_text(encoding="utf-8")
    assert len(card.style_names) >= 32
    assert card.network.predictor > 0
    assert file.stat().st_size <= 6_000_000
    for name, painting in card.paintings.items():
        assert all(painting.get(fact) for fact in ("title", "source", "license")), name
        assert f"`{painting['name']}`" in page
    assert file.with_suffix(".jpg").stat().st_size <= 400_000


def test_the_list_of_networks_is_made_from_their_cards() -> None:
    assert (SHIPPED / "README.md").read_text(encoding="utf-8") == index_of(SHIPPED)
