"""The pages Trends and Incidents."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from domain import times
from domain.drift.acknowledgement import LONGEST_NOTE
from ops.laptop import ROOT
from tests.integration.dashboard.visits import PHONE, Visit, barriers, go, too_wide

if TYPE_CHECKING:
    from playwright.sync_api import Route


def test_trends_show_figures_coverage_and_columns_by_range_and_version(visit: Visit) -> None:
    page = visit("#/trends")
    charts = page.locator("[role=img]")
    assert "F1 over time" in (charts.first.get_attribute("aria-label") or "")
    points = page.locator("circle.dot")
    all_points = points.count()
    assert all_points > 50
    page.get_by_label("The last").select_option("14")
    points.first.wait_for(state="attached")  # charts are drawn once their width is known
    assert 0 < points.count() < all_points
    page.get_by_label("Column").select_option("age")
    page.get_by_role("img", name="Mean of age").wait_for()
    page.get_by_text("As a table").first.click()
    assert page.get_by_role("region", name="Performance over time").is_visible()
    assert [] == barriers(page)
    page.get_by_role("link", name="Performance by segment, the worst first").click()
    page.get_by_role("heading", name="Performance by segment").wait_for()


def _show_three_runs(route: "Route") -> None:
    """Answer with runs in which a mean rises to zero, and only the first has labels."""
    answer = route.fetch()
    data = answer.json()
    for number, mean in enumerate((-20, -10, 0)):
        point = data["points"][number]
        point["end"] = (number + 1) * times.DAY_MS
        point["f1"] = None if number else {"value": 0.7, "low": 0.6, "high": 0.8}
        point["expected_f1"] = 0.75
        point["columns"] = [
            {"column": "frost", "title": "", "unit": "C", "missing": 0.0, "mean": mean}
        ]
    route.fulfill(response=answer, body=json.dumps(data | {"points": data["points"][:3]}))


def test_a_line_goes_below_zero_and_the_latest_point_is_that_of_the_latest_run(
    visit: Visit,
) -> None:
    page = visit("#/overview")
    page.route("**/monitoring/trends", _show_three_runs)
    page.get_by_role("link", name="Trends", exact=True).click()
    dots = page.get_by_role("img", name="Mean of frost").locator("circle.dot")
    dots.nth(2).wait_for()
    heights = [float(dots.nth(n).get_attribute("cy") or 0) for n in range(3)]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2]) != 0
    label = page.locator("[role=img]").first.get_attribute("aria-label") or ""
    assert "the latest, 1970-01-03: expected F1 0.750" in label


def test_an_open_incident_is_acknowledged_on_the_page_and_stays_so(visit: Visit) -> None:
    page = visit("#/overview")
    page.get_by_role("link", name="Acknowledge", exact=True).click()
    page.get_by_role("heading", name="Open incident").wait_for()
    page.get_by_label("Note").fill("The lab changed its units.")
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    page.get_by_text("The lab changed its units.").first.wait_for()
    go(page, "#/incidents")
    text = page.inner_text("#main")
    assert "by the dashboard with API key" in text
    assert 0 == page.get_by_role("button", name="Acknowledge", exact=True).count()
    rows = page.get_by_role("region", name="Incidents").locator("tbody tr")
    assert 2 == rows.count()  # the open one, and one that has recovered
    assert "There is no data newer" in text  # what the guard decided
    assert [] == barriers(page)
    go(page, "#/overview")
    assert "acknowledged by the dashboard with API key" in page.inner_text("#main")
    page.get_by_role("link", name="The incident", exact=True).wait_for()


def test_no_sentence_about_incidents_is_cut_off_on_a_small_laptop(visit: Visit) -> None:
    assert [] == too_wide(visit("#/incidents"))


def test_the_page_knows_how_long_a_note_may_be() -> None:
    source = (ROOT / "web" / "incidents.js").read_text()
    assert f"LONGEST_NOTE = {LONGEST_NOTE};" in source


@pytest.mark.parametrize("name", ["trends", "incidents"])
def test_images_of_trends_and_incidents(visit: Visit, tmp_path: Path, name: str) -> None:
    """They are copied into the folder that DASHBOARD_IMAGES names, if any."""
    for suffix, options in (("", {}), ("-phone", {"viewport": PHONE, "color_scheme": "dark"})):
        page = visit(f"#/{name}", **options)
        path = tmp_path / f"dashboard-{name}{suffix}.png"
        page.screenshot(path=path, full_page=True)
        assert path.read_bytes().startswith(b"\x89PNG")
        if "DASHBOARD_IMAGES" in os.environ:
            shutil.copy(path, os.environ["DASHBOARD_IMAGES"])
