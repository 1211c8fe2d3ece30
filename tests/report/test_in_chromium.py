"""The report in Chromium: its script runs, sorts the table, shows each step, and asks for nothing from elsewhere."""

from pathlib import Path

import pytest
from run_folders import make_run

from stylenet.report import write_report

CHROMIUM = Path("/usr/bin/chromium")


@pytest.mark.slow
def test_the_report_works_in_chromium_and_fits_a_phone(tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("NOT TESTED: there is no /usr/bin/chromium")
    for hour, weight in ((10, 7.0), (11, 3.0), (12, 12.0)):
        make_run(tmp_path / f"wave/2026-11-25_{hour}-00-00", weight=weight)
    report = write_report(tmp_path)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        problems: list[str] = []
        addresses: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(report.as_uri())
        page.click("thead th:nth-child(3) button")
        weights = page.eval_on_selector_all("tbody tr", "rows => rows.map(row => row.cells[2].textContent)")
        page.locator(".step input").first.fill("0")
        step = page.locator(".step output").first.text_content()
        width = page.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert (weights, step, width) == (["3", "7", "12"], "step 1", 390)
    assert problems == []
    assert all(address.startswith(("file:", "data:")) for address in addresses)
