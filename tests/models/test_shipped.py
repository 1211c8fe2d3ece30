"""What is in `checkpoints/`: a network for every painting, each with its page, its sheet and its figures."""

import re

import pytest

from stylenet.cli.release import SMALLER
from stylenet.data.painting import STYLES
from stylenet.disk import file_sha256
from stylenet.models.catalog import SHIPPED
from stylenet.models.style_file import SUFFIX, read_card
from stylenet.release.model_card import index

NETWORKS = sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))


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


def test_the_table_of_networks_is_made_from_their_cards() -> None:
    cards = {name: read_card(SHIPPED / f"{name}{SUFFIX}").facts for name in NETWORKS}
    assert (SHIPPED / "README.md").read_text(encoding="utf-8") == index(cards)
