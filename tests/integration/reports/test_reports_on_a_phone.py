"""Evidently's pages as a phone of 390 by 844 pixels shows them."""

from typing import TYPE_CHECKING, Any

import pytest

from domain.contract.contract import Contract
from tests.browser import chromium
from tests.repository import CONTRACT_TOML
from tests.unit.monitoring_job.reports.test_reports import drifted

if TYPE_CHECKING:
    from pathlib import Path

PHONE: Any = {"width": 390, "height": 844}
CUT_OFF = """
[...document.querySelectorAll('h1, h2, h5, .js-plotly-plot')]
  .map((e) => [e.innerText.slice(0, 40), e.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.left < 0 || box.right > innerWidth))
  .map(([text]) => text)
"""
"""Headings and charts that reach beyond the screen."""


@pytest.mark.parametrize("name", ["data_drift", "prediction_drift"])
def test_no_chart_is_cut_off_and_the_bars_have_room(tmp_path: "Path", name: str) -> None:
    contract = Contract.parse(CONTRACT_TOML.read_text())
    file = tmp_path / "page.html"
    file.write_text(drifted(contract, names=[name])[1][name], encoding="utf-8")
    with chromium() as browser:
        page = browser.new_page(viewport=PHONE, is_mobile=True, has_touch=True)
        page.goto(file.as_uri())
        if name == "data_drift":
            page.locator("tbody button").first.tap()
        plot = page.locator(".js-plotly-plot").first
        plot.wait_for()
        page.locator(".js-plotly-plot .bars path").first.wait_for(state="attached")
        box = page.locator(".js-plotly-plot .plotbg, .js-plotly-plot .bglayer").first.bounding_box()
        assert box is not None
        assert box["width"] >= 200
        assert [] == page.evaluate(CUT_OFF)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert "Percent" in plot.inner_text()
